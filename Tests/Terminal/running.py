"""Runs the tests of one module, one after the other."""

import importlib
import time
import traceback


def run_tests(name, words):
    """Runs a module's tests whose sentence, or whose module's name, has one of the words; all without words. Prints a line a test,
    and returns how many passed, failed and were skipped."""
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
    return passed, failed, skipped
