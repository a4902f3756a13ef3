"""The tests' own runner: whom it waits for and whom not any more, and that nothing outlives what started it."""

import contextlib
import os
import signal
import subprocess
import sys

from stillness import Watch
from support import PATIENCE, ROOT, wait_until
from waiting import is_there

HERE = os.path.join(ROOT, "Tests/Terminal")
SLEEPS = "import time; time.sleep(100000)"
COMPUTES = "while True: pass"


@contextlib.contextmanager
def other(script, **options):
    """A Python that runs a script until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.DEVNULL, cwd=HERE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def vain(watch, wait):
    """Why a wait is given up; `wait` never ends by itself."""
    try:
        with watch.over(os.getpid()):
            wait()
    except AssertionError as reason:
        return str(reason)
    raise AssertionError("the wait has ended")


def waiting(watch, ask=lambda: None):
    """A wait that asks again and again."""
    def wait():
        with watch.within_a_wait():
            wait_until(lambda: ask() and False, "it is given up")

    return wait


def test_a_wait_for_what_stands_still_is_given_up():
    watch = Watch(still=3, pause=0.5)
    with other(SLEEPS):
        assert "nobody has computed" in vain(watch, waiting(watch))
        # Whoever asks by short commands all the time is no progress.
        assert "nobody has computed" in vain(watch, waiting(watch, lambda: subprocess.run(["true"])))
    with other(SLEEPS, stdout=subprocess.PIPE) as process:
        for blocked in (process.stdout.readline, process.wait, process.communicate):
            assert "nobody has computed" in vain(Watch(still=3, pause=0.5), blocked)


def test_what_computes_is_waited_for_until_it_has_computed_a_lot():
    watch = Watch(still=3, work=1, pause=0.2)
    with other(COMPUTES):
        assert "others have computed for 1 s" in vain(watch, waiting(watch))


def test_many_short_commands_are_progress():
    with Watch(still=1, pause=0.1).over(os.getpid()):
        for _ in range(200):
            subprocess.run(["true"])


def test_nothing_outlives_the_tests_of_a_file():
    # As a program in the background, in a session of its own, whose parent has ended.
    begins = ("import os, signal, subprocess, sys\nfrom keeping import keep\nkeep()\n"
              "child = os.fork()\nif child == 0:\n"
              f"    process = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session=True)\n"
              "    print(process.pid, flush=True)\n    os._exit(0)\nos.waitpid(child, 0)\n")
    for ends, status in (("", 0), ("sys.exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", 137)):
        with other(begins + ends, stdout=subprocess.PIPE) as process:
            left = int(process.stdout.readline())
            assert process.wait(PATIENCE) == status, (ends, process.returncode)
            assert not is_there(left), ends
    # One who is told to end, and one who loses its parent, have ended all before they are gone.
    with other(begins + "signal.pause()", stdout=subprocess.PIPE) as process:
        left = int(process.stdout.readline())
        process.terminate()
        process.wait(PATIENCE)
        assert not is_there(left)
    starts = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {begins + 'signal.pause()'!r}])"
    with other(starts, stdout=subprocess.PIPE) as process:
        left = int(process.stdout.readline())
        process.kill()
        wait_until(lambda: not is_there(left), "it is gone")
