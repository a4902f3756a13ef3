#!/usr/bin/env python3
"""Runs the tests of the program in a terminal: run.py PROGRAM [WORD …], where words choose tests by their names or by the name
of their file. Four files' tests go on at a time: most of them wait for a program."""

import concurrent.futures
import importlib
import os
import re
import signal
import subprocess
import sys
import time
import traceback

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


def heed_signals():
    """Gives programs that are started here all signals again: nohup and a shell's & make them ignore some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)


def run_module(name, words):
    """Runs the tests of one file in this process, with a folder of their own; the last line has the counts."""
    heed_signals()
    sys.path.append(ROOMS[name])
    from support import SEED, Skipped
    passed, failed, skipped = 0, 0, 0
    for test_name, test in list(vars(importlib.import_module(name)).items()):
        sentence = test_name.removeprefix("test_").replace("_", " ")
        if not test_name.startswith("test_") or (words and not any(word in sentence or word in name for word in words)):
            continue
        start = time.monotonic()
        try:
            test()
        except Skipped as reason:
            skipped += 1
            print(f"– {sentence}: skipped, {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"✘ {sentence} ({time.monotonic() - start:.1f} s, FORETOP_TEST_SEED={SEED})\n{traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"✔ {sentence} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"counts {passed} {failed} {skipped}", flush=True)


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
