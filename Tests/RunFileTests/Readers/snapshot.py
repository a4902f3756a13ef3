# Opens a snapshot as anybody would, not as a live file, and prints what is in it.
import sys
import h5py

with open(sys.argv[1], "rb") as file:
    superblock = file.read(9)[8]
with h5py.File(sys.argv[1], "r") as file:
    rows = len(file["metrics/commit"])
    assert all(len(file[f"metrics/{name}"]) == rows for name in ("step", "loss/ntp", "loss/top", "rate"))
    loss = file["metrics/loss/ntp"][-1]
    print(f"superblock {superblock}, {rows} rows, {len(file['heldout/commit'])} evaluations, loss {str(loss)}")
