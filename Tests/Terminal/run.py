#!/usr/bin/env python3
"""Runs the tests of the program in a terminal: run.py PROGRAM [WORD …], where words choose tests by their names or by the name
of their file. Four files' tests go on at a time: most of them wait for a program."""

import concurrent.futures
import os
import re
import subprocess
import sys
import time

from running import run_tests
from waiting import heed_signals

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
# The folder of each file of tests.
ROOMS = {
    name[:-3]: folder for folder, _, names in os.walk(CASES) for name in names if name.endswith("_tests.py")}
# The longest begin.
LONGEST = [
    "stored_tests", "exchange_tests", "machine_tests", "signal_tests", "bad_input_tests", "line_tests", "people_tests",
    "control_tests"]
MODULES = LONGEST + sorted(set(ROOMS) - set(LONGEST))

WORKERS = 4

if len(sys.argv) < 2:
    sys.exit("usage: run.py PROGRAM [WORD …]")


def run_module(name, words):
    """Runs the tests of one file in this process, with a folder of their own; the last line has the counts."""
    heed_signals()
    sys.path.append(ROOMS[name])
    print("counts", *run_tests(name, words), flush=True)


def show_module(name):
    """Runs the tests of one file in a process of its own and passes on what they say; returns the counts."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), *sys.argv[1:]], env=dict(os.environ, FORETOP_TEST_FILE=name),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    counts = None
    for line in process.stdout:
        found = re.fullmatch(r"counts (\d+) (\d+) (\d+)\n", line)
        if found:
            # What a failed test left behind may have the pipe open still.
            counts = [int(number) for number in found.groups()]
            break
        print(line, end="", flush=True)
    if process.wait() != 0 or counts is None:
        print(f"✘ {name} ended with {process.returncode}", flush=True)
        return [0, 1, 0]
    print(f"  {name}: {time.monotonic() - start:.0f} s", flush=True)
    return counts


def main():
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        passed, failed, skipped = map(sum, zip(*pool.map(show_module, MODULES)))
    print(f"terminal: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 0)


if "FORETOP_TEST_FILE" in os.environ:
    run_module(os.environ["FORETOP_TEST_FILE"], sys.argv[2:])
else:
    main()
