# Reads a run over and over while it is written, as a notebook would: no error, no row that was not there before, no value
# that changes. Ends when there were more rows than before as often as argument 2 says.
import sys
import time
import h5py
import numpy

path, wanted = sys.argv[1], int(sys.argv[2])
growths, seen = 0, numpy.zeros(0)
file = h5py.File(path, "r", swmr=True)
limit = time.monotonic() + 600
while growths < wanted:
    assert time.monotonic() < limit, f"only {len(seen)} rows came"
    commit = file["metrics/commit"]
    commit.refresh()
    rows = len(commit)
    columns = {}
    for name in ["step", "loss/ntp", "loss/total", "rate", "phase/update"]:
        dataset = file["metrics/" + name]
        dataset.refresh()
        columns[name] = dataset[:rows]
        assert len(columns[name]) == rows, (name, rows, len(columns[name]))
    assert rows >= len(seen), (rows, len(seen))
    assert (columns["step"] == numpy.arange(1, rows + 1)).all(), columns["step"]
    assert (columns["loss/ntp"][: len(seen)] == seen).all()
    assert (columns["loss/ntp"] >= 1).all() and (columns["loss/ntp"] < 2).all()
    growths += rows > len(seen)
    seen = columns["loss/ntp"]
print(f"{growths} times there were more rows, in the end {len(seen)}")
