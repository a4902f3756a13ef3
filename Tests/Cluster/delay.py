"""Cables with a delay, for kernels without netem: both ends are TAP devices, and a thread carries packets from one to the other."""

import collections
import fcntl
import os
import select
import struct
import threading
import time

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x2, 0x1000
# Long packets, so that few of them have to be carried.
MTU = 60000


def _tap(name):
    """Makes a TAP device; returns the file that its packets come from and go to."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    except OSError:
        os.close(file)
        raise
    return file


class DelayedCables:
    """Carries packets between pairs of devices. The devices are gone when it ends."""

    def __init__(self, pairs):
        """Makes the devices of each pair of names; raises OSError where the kernel has no TAP devices."""
        self.delay = 0.0
        self.other = {}
        self.ended = False
        try:
            for one, two in pairs:
                a = _tap(one)
                self.other[a] = a
                b = _tap(two)
                self.other[a], self.other[b] = b, a
        except OSError:
            self._close()
            raise
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def _carry(self):
        waiting = collections.deque()
        while not self.ended:
            now = time.monotonic()
            patience = max(0.0, waiting[0][0] - now) if waiting else 0.05
            ready, _, _ = select.select(list(self.other), [], [], patience)
            now = time.monotonic()
            for file in ready:
                try:
                    while True:
                        waiting.append((now + self.delay, self.other[file], os.read(file, MTU + 100)))
                except OSError:
                    pass  # No more, or the device is down.
            while waiting and waiting[0][0] <= time.monotonic():
                _, file, packet = waiting.popleft()
                try:
                    os.write(file, packet)
                except OSError:
                    pass  # A device that is down, or full, drops packets, as cables do.

    def _close(self):
        for file in self.other:
            os.close(file)
        self.other = {}

    def end(self):
        self.ended = True
        self.thread.join()
        self._close()
