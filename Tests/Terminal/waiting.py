"""How tests wait and what they draw: conditions, with a limit that only a hang reaches, and numbers of one seed."""

import contextlib
import math
import os
import random
import signal
import time

from stillness import PATIENCE, Vain, Watch, below

SEED = int(os.environ.get("FORETOP_TEST_SEED", "1"))
# Whether `make torture` runs these tests, at counts that take minutes.
IS_FULL = os.environ.get("FORETOP_TORTURE") == "full"


def draws(purpose):
    """Random numbers of the tests' seed, other ones for every purpose."""
    return random.Random(f"{SEED} {purpose}")


# Looks after the tests of this process, where they are watched.
WATCH = Watch()


@contextlib.contextmanager
def awaited(what):
    """Around a loop that waits for something; gives what to ask at every turn whether the wait has lasted too long. `what` is
    asked for the words of a failure."""
    limit = time.monotonic() + PATIENCE

    def check():
        assert time.monotonic() < limit, f"waited in vain {what()}"

    try:
        with WATCH.within_a_wait():
            yield check
    except Vain as reason:
        raise AssertionError(f"waited in vain, for {reason}: {what()}") from None


def wait_until(condition, what, pause=0.02):
    """Waits until something holds, and returns it; `what` says it, or is asked for what was in the way."""
    with awaited(lambda: f"until {what() if callable(what) else what}") as check:
        while True:
            begun = time.monotonic()
            if found := condition():
                return found
            check()
            # A question that takes long, such as one to the program, leaves the processor to others for as long.
            time.sleep(max(pause, time.monotonic() - begun))


def children(process, task="*"):
    """The numbers of the processes that a process has started and that go on; those of one of its threads, if this is named."""
    return below(process.pid, task)


def is_there(number):
    """Whether the process with this number lives; one that nobody has asked for the status does not."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


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
    with awaited(lambda: f"until process {process.pid} has computed {seconds} s more") as check:
        while computed(process) < end:
            check()
            meanwhile()


def heed_signals():
    """Gives programs that are started here all signals again: nohup and a shell's & make them ignore some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
