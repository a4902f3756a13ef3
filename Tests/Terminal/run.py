#!/usr/bin/env python3
"""Runs the tests of the program in a terminal: run.py PROGRAM [WORD …], where words choose tests by their names."""

import signal
import sys
import time
import traceback

if len(sys.argv) < 2:
    sys.exit("usage: run.py PROGRAM [WORD …]")

import bad_input_tests
import disk_tests
import line_tests
import peer_tests
import plan_tests
import screen_tests
import signal_tests
import stored_tests
from support import Skipped


def heed_signals():
    """Gives programs that are started here all signals again: nohup and a shell's & make them ignore some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)


def main():
    heed_signals()
    words = sys.argv[2:]
    passed, failed, skipped = 0, 0, 0
    for module in (line_tests, plan_tests, screen_tests, signal_tests, disk_tests, stored_tests, peer_tests, bad_input_tests):
        for name, test in list(vars(module).items()):
            sentence = name.removeprefix("test_").replace("_", " ")
            if not name.startswith("test_") or (words and not any(word in sentence for word in words)):
                continue
            start = time.monotonic()
            try:
                test()
            except Skipped as reason:
                skipped += 1
                print(f"– {sentence}: skipped, {reason}", flush=True)
            except Exception:
                failed += 1
                print(f"✘ {sentence} ({time.monotonic() - start:.1f} s)\n{traceback.format_exc()}", flush=True)
            else:
                passed += 1
                print(f"✔ {sentence} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 0)


main()
