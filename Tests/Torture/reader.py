# Reads a run over and over while it is written, as a notebook would: opened anew every so often, and refreshed in between.
# Says what is bad, and in the end how many reads there were and how late the latest row came to be seen. Ends when there
# were as many as wanted, and its input has ended.
import os
import select
import sys
import time
import h5py
import numpy

path, wanted, lag = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
NAMES = ["step", "time", "loss/ntp", "loss/total", "rate", "phase/update"]
reads, latest = 0, 0.0
seen = numpy.zeros(0, "float32")
deadline = time.time() + 600


def is_told():
    """Whether nobody has the other end of the input any more."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def columns(file):
    """All columns, as long as the checksums are."""
    commit = file["metrics/commit"]
    commit.refresh()
    rows = len(commit)
    found = {}
    for name in NAMES:
        dataset = file["metrics/" + name]
        dataset.refresh()
        found[name] = dataset[:rows]
        assert len(found[name]) == rows, f"{name} has {len(found[name])} of {rows} rows"
    return found


while (reads < wanted or not is_told()) and time.time() < deadline:
    try:
        with h5py.File(path, "r", swmr=True) as file:
            news, rows = time.time(), -1
            for _ in range(20):
                start = time.time()
                found = columns(file)
                count = len(found["step"])
                assert (found["step"] == numpy.arange(1, count + 1)).all(), f"steps are {found['step'][-5:]}"
                same = min(count, len(seen))
                assert (found["loss/ntp"][:same] == seen[:same]).all(), "numbers changed"
                assert numpy.isfinite(found["loss/ntp"]).all() and (found["rate"] > 0).all(), "numbers are none"
                if count > len(seen):
                    seen = found["loss/ntp"]
                # A row is late by the time since it was made, when it is new; rows that came together came with the last.
                if rows >= 0 and count > rows:
                    latest = max(latest, start - found["time"][rows])
                rows = count
                reads += 1
                time.sleep(0.002)
    except (OSError, KeyError, RuntimeError, AssertionError, ValueError) as error:
        reads += 1
        print("bad", type(error).__name__, error, flush=True)
if latest > lag:
    print(f"bad a row came {latest:.2f} s late")
if reads < wanted:
    print(f"bad only {reads} reads came to be")
print("read", reads, latest)
