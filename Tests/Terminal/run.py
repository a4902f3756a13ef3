#!/usr/bin/env python3
"""Runs the tests of the program in a terminal: run.py PROGRAM [WORD …], where words choose tests by their names or by the name
of their file. Four tests go on at a time, of different files while there are as many: most of them wait for a program. Who has
no file left takes tests from the one with most left, so that all end together."""

import collections
import os
import re
import subprocess
import sys
import threading
import time

from keeping import keep
from running import chosen, run_test
from waiting import heed_signals

HERE = os.path.dirname(os.path.abspath(__file__))
# The path of each file of tests.
PATHS = {name[:-3]: os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(HERE, "cases"))
         for name in names if name.endswith("_tests.py")}
# The longest begin.
LONGEST = [
    "stored_tests", "exchange_tests", "machine_tests", "signal_tests", "bad_input_tests", "line_tests", "people_tests",
    "control_tests"]

WORKERS = 4

if len(sys.argv) < 2:
    sys.exit("usage: run.py PROGRAM [WORD …]")


def run_orders(name):
    """Runs tests of one file in this process, with a folder of their own: those that lines on standard input name. After what a test
    says comes a line with its counts."""
    heed_signals()
    keeper = keep()
    # Programs that tests start have nothing to read.
    orders = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path.append(os.path.dirname(PATHS[name]))
    for line in orders:
        print("counts", *run_test(name, line.strip(), keeper), flush=True)


class Queue:
    """The tests that are left of each file, for all workers."""

    def __init__(self, words):
        self.lock = threading.Lock()
        self.tests, self.begun, self.seconds = {}, set(), collections.Counter()
        self.counts = [0, 0, 0]
        for name in LONGEST + sorted(set(PATHS) - set(LONGEST)):
            with open(PATHS[name]) as file:
                found = re.findall(r"^def (test_\w+)\(", file.read(), re.MULTILINE)
            if tests := [test for test in found if chosen(name, test, words)]:
                self.tests[name] = collections.deque(tests)

    def next_file(self):
        """A file that nobody has begun, or the one with most tests left; None where nothing is left."""
        with self.lock:
            name = next((name for name in self.tests if name not in self.begun), None)
            if name is None:
                name = max(self.tests, key=lambda name: len(self.tests[name]), default=None)
            self.begun.add(name)
            return name if name and self.tests[name] else None

    def next_test(self, name):
        """A test of a file that nobody has taken, or None."""
        with self.lock:
            return self.tests[name].popleft() if self.tests[name] else None

    def show(self, name, said, counts, seconds):
        """Prints what a test said, in one piece, and keeps its counts."""
        with self.lock:
            print(said, end="", flush=True)
            self.seconds[name] += seconds
            self.counts = [sum(pair) for pair in zip(self.counts, counts)]


def work(queue):
    """Runs tests until none are left, those of one file after another, each in a process of its own."""
    while name := queue.next_file():
        process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), sys.argv[1]], env=dict(os.environ, FORETOP_TEST_FILE=name),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with process:
            while test := queue.next_test(name):
                start, said = time.monotonic(), []
                counts = order(process, test, said)
                if counts is None:
                    said.append(f"✘ {name} ended with {process.wait()} in {test}\n")
                queue.show(name, "".join(said), counts or [0, 1, 0], time.monotonic() - start)
                if counts is None:
                    break


def order(process, test, said):
    """Has a process run a test; adds the lines that it says, and returns the counts: None when the process has ended."""
    try:
        print(test, file=process.stdin, flush=True)
    except BrokenPipeError:
        pass
    for line in process.stdout:
        # Before it may stand what a program has said that did not end its line.
        if found := re.fullmatch(r"(.*)counts (\d+) (\d+) (\d+)\n", line):
            said.append(found[1])
            return [int(number) for number in found.groups()[1:]]
        said.append(line)
    return None


def main():
    queue = Queue(sys.argv[2:])
    workers = [threading.Thread(target=work, args=(queue,)) for _ in range(WORKERS)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        # Those who keep the tests end them.
        os._exit(130)
    print("seconds a file: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in queue.seconds.most_common()))
    passed, failed, skipped = queue.counts
    print(f"terminal: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 0)


if "FORETOP_TEST_FILE" in os.environ:
    run_orders(os.environ["FORETOP_TEST_FILE"])
else:
    main()
