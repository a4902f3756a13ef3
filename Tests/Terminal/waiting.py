"""How tests wait and what they draw: conditions, with a limit that only a hang reaches, and numbers of one seed."""

import glob
import math
import os
import random
import signal
import time

# Seconds; a slow machine is no failure.
PATIENCE = float(os.environ.get("FORETOP_PATIENCE", "600"))
SEED = int(os.environ.get("FORETOP_TEST_SEED", "1"))
# Whether `make torture` runs these tests, at counts that take minutes.
IS_FULL = os.environ.get("FORETOP_TORTURE") == "full"


def draws(purpose):
    """Random numbers of the tests' seed, other ones for every purpose."""
    return random.Random(f"{SEED} {purpose}")


def wait_until(condition, what, pause=0.02):
    """Waits until something holds, and returns it; `what` says it, or is asked for what was in the way."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, f"waited in vain until {what() if callable(what) else what}"
        time.sleep(pause)
    return found


def children(process, task="*"):
    """The numbers of the processes that a process has started and that go on; those of one of its threads, if this is named."""
    numbers = []
    for path in glob.glob(f"/proc/{process.pid}/task/{task}/children"):
        try:
            with open(path) as file:
                numbers += map(int, file.read().split())
        except OSError:
            # The thread has ended.
            pass
    return numbers


def trainer(process):
    """The number of the process that trains: a program on a terminal divides into one that waits and one that trains."""
    return next(iter(children(process, process.pid)), process.pid)


def computed(process):
    """Seconds of the processor that a process has used, all its threads: how far it is, however busy the machine."""
    try:
        return math.inf if process.poll() is not None else time.clock_gettime(~trainer(process) << 3 | 2)
    except OSError:
        return math.inf


def let_compute(process, seconds, meanwhile=lambda: time.sleep(0.001)):
    """Waits until a process has computed so much longer, or has ended."""
    end = computed(process) + seconds
    limit = time.monotonic() + PATIENCE
    while computed(process) < end:
        assert time.monotonic() < limit, f"process {process.pid} computes nothing"
        meanwhile()


def heed_signals():
    """Gives programs that are started here all signals again: nohup and a shell's & make them ignore some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
