"""Notices that nobody works any more on what a test waits for: it need not wait as long as a slow machine may take.

What counts is how much of a processor the processes below the test want: what they get, and what they queue for where others
have it. A busy machine makes both sums grow slower than a quiet one, and neither stop.
"""

import contextlib
import glob
import math
import os
import signal
import time

# Seconds; a slow machine is no failure.
PATIENCE = float(os.environ.get("FORETOP_PATIENCE", "400"))
# Seconds for which everybody may be still. The program's longest pause is the minute for which it retries a refused save.
STILL = 90
# Seconds of processors that others may use during one wait.
WORK = PATIENCE / 3
# Seconds between two looks.
PAUSE = 5
# The share of a processor below which everybody together is still. A screen on which nothing happens was measured to want at most
# 0.004 of one: it looks at files, and draws the time.
SHARE = 0.02


def below(number, task="*"):
    """The numbers of the processes that a process, or one of its threads, has started and that go on."""
    numbers = []
    for path in glob.glob(f"/proc/{number}/task/{task}/children"):
        try:
            with open(path) as file:
                numbers += map(int, file.read().split())
        except OSError:
            # The thread has ended.
            pass
    return numbers


def descendants(number):
    """The numbers of all processes below a process."""
    numbers = below(number)
    for one in numbers:
        numbers += below(one)
    return numbers


def wanted(number):
    """Seconds of a processor that each thread of a process has had, and that it has had or queued for; the second is without
    bound for a thread that queues now, which the kernel counts later, or waits for a disk, or that somebody has stopped. By the
    thread's number; empty when the process has ended."""
    found = {}
    for path in glob.glob(f"/proc/{number}/task/*"):
        try:
            with open(path + "/schedstat") as file:
                had, queued, _ = map(int, file.read().split())
            with open(path + "/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        found[int(path.rpartition("/")[2])] = had / 1e9, math.inf if state in "RDTt" else (had + queued) / 1e9
    return found


class Vain(AssertionError):
    """Says why nothing more is waited for."""


class Watch:
    """Looks from time to time at the processes below one, and raises `Vain` in the main thread, whatever it waits for.

    Within a wait, those count that are there for longer than between two looks: not the short commands that a test asks again and
    again how far it is. Outside, every new process is progress, and so is what the test itself computes.
    """

    def __init__(self, still=STILL, work=WORK, pause=PAUSE):
        self.limits, self.pause = (still, work), pause
        # The process above all that count; None where nobody is watched.
        self.root = None
        self.waits = 0
        self.begin()

    def begin(self):
        """Begins anew: with a test, or a wait."""
        self.still, self.worked = 0, 0
        self.time, self.computed, self.last = time.monotonic(), time.process_time(), None

    @contextlib.contextmanager
    def over(self, root):
        """Watches the processes below this one while a test goes on; nobody where the kernel does not count what threads want."""
        if not os.path.exists("/proc/self/schedstat"):
            yield
            return
        handler = signal.signal(signal.SIGALRM, lambda *_: self.look())
        self.root, self.waits = root, 0
        self.begin()
        timer = signal.setitimer(signal.ITIMER_REAL, self.pause, self.pause)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, *timer)
            signal.signal(signal.SIGALRM, handler)
            self.root = None

    @contextlib.contextmanager
    def within_a_wait(self):
        """Around a loop that asks for something until it is there."""
        if self.waits == 0:
            self.begin()
        self.waits += 1
        try:
            yield
        finally:
            self.waits -= 1
            if self.waits == 0:
                self.begin()

    def look(self):
        """Raises `Vain` when it is enough."""
        now = time.monotonic()
        # A machine that stood still itself says nothing of its processes.
        elapsed, self.time = min(now - self.time, 2 * self.pause), now
        found = {}
        for number in set(descendants(self.root)) - {os.getpid()}:
            found.update(wanted(number))
        before, self.computed = self.computed, time.process_time()
        last, self.last = self.last, found
        if last is None:
            return
        known = found.keys() & last.keys()
        self.worked += sum(found[thread][0] - last[thread][0] for thread in known)
        isNew = self.waits == 0 and found.keys() - last.keys()
        if isNew or any(math.isinf(found[thread][1]) for thread in known):
            self.still = 0
        else:
            moved = sum(max(0, found[thread][1] - last[thread][1]) for thread in known)
            moved += 0 if self.waits else self.computed - before
            self.still = 0 if moved > SHARE * elapsed else self.still + elapsed
        still, work = self.limits
        if self.still >= still:
            self.begin()
            raise Vain(f"nobody has computed anything for {still} s")
        if self.waits and self.worked >= work:
            self.begin()
            raise Vain(f"others have computed for {work:.0f} s meanwhile")
