# Reads a run over and over while it is written, as a notebook would: no error, no row that was not there before, no value
# that changes. Prints the number of reads and of rows.
import sys
import time
import h5py
import numpy

path, wanted = sys.argv[1], int(sys.argv[2])
reads, seen = 0, numpy.zeros(0)
file = h5py.File(path, "r", swmr=True)
deadline = time.time() + 60
while len(seen) < wanted:
    assert time.time() < deadline, f"only {len(seen)} rows came"
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
    seen = columns["loss/ntp"]
    reads += 1
print(reads, len(seen))
