"""Runs the tests of one module, one after the other."""

import contextlib
import importlib
import os
import time
import traceback

from keeping import end_programs
from stillness import descendants
from waiting import WATCH


def run_tests(name, words):
    """Runs a module's tests whose sentence, or whose module's name, has one of the words; all without words. Prints a line a test,
    and returns how many passed, failed and were skipped."""
    tests = [test for test in vars(importlib.import_module(name)) if test.startswith("test_") and chosen(name, test, words)]
    return [sum(counts) for counts in zip((0, 0, 0), *(run_test(name, test) for test in tests))]


def sentence_of(test):
    return test.removeprefix("test_").replace("_", " ")


def chosen(name, test, words):
    """Whether the sentence of a test, or the name of its module, has one of the words; true without words."""
    return not words or any(word in sentence_of(test) or word in name for word in words)


def run_test(name, test, keeper=None):
    """Runs one test of a module; prints a line, and returns how many passed, failed and were skipped. With the number of the process
    that keeps this one, the test is watched, and programs that it leaves are ended."""
    from support import PROGRAM, SEED, Skipped
    sentence = sentence_of(test)
    start, before = time.monotonic(), os.times()
    there = set(descendants(keeper)) if keeper else set()

    def took():
        now = os.times()
        computed = sum(now[:4]) - sum(before[:4])
        return f"{time.monotonic() - start:.1f} s, {computed:.1f} s of CPU"

    try:
        with WATCH.over(keeper) if keeper else contextlib.nullcontext():
            vars(importlib.import_module(name))[test]()
    except Skipped as reason:
        print(f"– {sentence}: skipped, {reason}", flush=True)
        return 0, 0, 1
    except Exception:
        print(f"✘ {sentence} ({took()}, FORETOP_TEST_SEED={SEED})\n{traceback.format_exc()}", flush=True)
        return 0, 1, 0
    finally:
        if keeper:
            # A training that nobody ends would take a processor from all tests that follow.
            end_programs(PROGRAM, set(descendants(keeper)) - there)
    print(f"✔ {sentence} ({took()})", flush=True)
    return 1, 0, 0
