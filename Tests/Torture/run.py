"""Tries to lose something of a run, and prints a table of how often that was tried and how often it came to pass.

Usage: run.py PROGRAM TORTURE WIRETAP small|full [ROW…]

PROGRAM is foretop, TORTURE the writer in Tests/RunFileTorture, WIRETAP the library made of wiretap.c. A row is an
executable file in rows/: it gets the count as its argument and the paths in its environment (see common.py), explains
itself on standard error, and prints lines `what | count | bad` on standard output; a count of 0 says that it could not be
tried here. The status is 1 when anything is bad, or
when a row did not come to its end.
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "Terminal"))
from keeping import keep
from waiting import SEED, heed_signals

ROWS = os.path.join(HERE, "rows")
# Those that take longest begin: `read-only` waits for a minute.
LONGEST = ["read-only", "kills", "damaged-files", "malformed-files"]
# Those that measure at full counts how late something is come last then, with nothing beside them.
ALONE = ["live-reads"]


def run(row, count, environment):
    start = time.monotonic()
    process = subprocess.run(
        [os.path.join(ROWS, row), count], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = [line.split(" | ") for line in process.stdout.splitlines() if line.count(" | ") == 2]
    seconds = time.monotonic() - start
    results = [(what, int(tried), int(bad)) for what, tried, bad in lines]
    words = process.stderr
    if process.returncode != 0 or not results:
        results.append((f"{row} ended with {process.returncode}", 0, 1))
        words += process.stdout
    return results, seconds, words


def main():
    heed_signals()
    program, torture, wiretap, count, *wanted = sys.argv[1:]
    assert count in ("small", "full"), f"{count} is neither small nor full"
    keep()
    alone = ALONE if count == "full" else []
    # In memory, unless `make test` has chosen a place already.
    isChosen = os.environ.get("TMPDIR", "").startswith("/dev/shm/")
    place = "/dev/shm" if not isChosen and os.access("/dev/shm", os.W_OK) else None
    scratch = tempfile.mkdtemp(prefix="foretop-torture-", dir=place)
    environment = dict(
        os.environ, TORTURE_PROGRAM=os.path.abspath(program), TORTURE_WRITER=os.path.abspath(torture),
        TORTURE_WIRETAP=os.path.abspath(wiretap), TORTURE_SCRATCH=scratch, XDG_CACHE_HOME=os.path.join(scratch, "cache"),
        PYTHONPATH=os.pathsep.join([HERE, os.path.join(HERE, "..", "Terminal")]),
        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    rows = [row for row in LONGEST + sorted(set(os.listdir(ROWS)) - set(LONGEST)) if not wanted or row in wanted]
    unknown = set(wanted) - set(rows)
    assert not unknown, f"there are no rows {unknown}; there are {sorted(os.listdir(ROWS))}"
    print(f"{'what':<78} {'count':>7} {'bad':>5}  verdict  seconds", flush=True)
    bad = {}
    try:
        # Some wait and compute nothing.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            started = [(row, pool.submit(run, row, count, environment)) for row in rows if row not in alone]
            for row, future in started:
                bad |= show(row, *future.result())
        for row in alone:
            if row in rows:
                bad |= show(row, *run(row, count, environment))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    # At the end, where whoever reads only the end of a log sees them.
    for row, words in bad.items():
        print(f"--- {row}\n{words[-8000:]}---", flush=True)
    print("torture: " + (
        f"something was lost in {', '.join(bad)}, FORETOP_TEST_SEED={SEED}" if bad else "nothing was lost"))
    sys.exit(1 if bad else 0)


def show(row, results, seconds, words):
    """Prints the lines of a row; returns what it said of what is bad, by its name."""
    for place, (what, tried, bad) in enumerate(results):
        verdict = "BAD" if bad else "ok" if tried else "not run"
        print(f"{what:<78} {tried:>7} {bad:>5}  {verdict:<7}  {seconds if place == 0 else 0:>7.1f}", flush=True)
    if any(bad for _, _, bad in results):
        return {row: words}
    if os.environ.get("FORETOP_VERBOSE"):
        print(f"--- {row}\n{words[-8000:]}---", file=sys.stderr, flush=True)
    return {}


main()
