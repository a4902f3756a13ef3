"""A pseudo-terminal with a program in it: keys in, a screen out. What the tests of the terminal are written with."""

import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pyte
from wcwidth import wcwidth

from waiting import awaited, children, is_there, let_compute, wait_until


# Synchronized output (mode 2026).
FRAME_BEGINS = b"\x1b[?2026h"
FRAME_ENDS = b"\x1b[?2026l"


class Scrolling(pyte.Screen):
    """A screen with the two sequences that pyte leaves out and ncurses uses: scrolling a region up and down."""

    def scroll_up(self, count=1):
        self.scroll(self.margins.bottom if self.margins else self.lines - 1, self.index, count)

    def scroll_down(self, count=1):
        self.scroll(self.margins.top if self.margins else 0, self.reverse_index, count)

    def scroll(self, row, move, count):
        before, self.cursor.y = self.cursor.y, row
        for _ in range(count or 1):
            move()
        self.cursor.y = before


class ScrollingStream(pyte.ByteStream):
    csi = dict(pyte.ByteStream.csi, S="scroll_up", T="scroll_down")
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    """Runs a command in a terminal of its own and reads its screen."""

    def __init__(self, command, columns=100, rows=30, env=None, cwd=None):
        self.screen = Scrolling(columns, rows)
        self.stream = ScrollingStream(self.screen)
        # The processes of a killed one, which end after it.
        self.orphans = []
        # The screen's lines, as far as it has not marked them as dirty since they were read.
        self.lines = []
        self.raw = b""
        # The part of a frame whose end has not come: a terminal that knows synchronized output does not show it.
        self.unfinished = b""
        self.master, self.slave = os.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        environment = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8", COLORTERM="")
        # What one test chooses on a screen is no other test's.
        self.configuration = tempfile.mkdtemp(prefix="foretop-config-")
        environment["XDG_CONFIG_HOME"] = self.configuration
        for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
            environment.pop(name, None)
        for name, value in (env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value

        def attach():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave, env=environment, cwd=cwd,
            preexec_fn=attach, close_fds=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.configuration, ignore_errors=True)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.master, self.slave):
            try:
                os.close(descriptor)
            except OSError:
                pass

    # In

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    @property
    def unread(self):
        """How many bytes of keys the program has not taken yet."""
        return struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)))[0]

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def signal(self, number):
        # Who is killed ends alone: the kernel kills the process that trains for it a moment later.
        self.orphans = children(self.process) if number == signal.SIGKILL else []
        self.process.send_signal(number)

    def hang_up(self):
        """Closes the terminal's other end, as a lost ssh does."""
        os.close(self.slave)
        os.close(self.master)

    # Out

    def read(self, seconds=0.05):
        """Takes in what the program prints for a while."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if not select.select([self.master], [], [], max(left, 0))[0]:
                return
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.raw += data
            self.show(data)
            if left <= 0:
                return

    def show(self, data):
        """Shows whole frames only, so that no test sees half of one."""
        data = self.unfinished + data
        begin = data.rfind(FRAME_BEGINS)
        if begin < 0 or FRAME_ENDS in data[begin:]:
            # The last bytes may be the first ones of a beginning.
            begin = next((len(data) - size for size in range(len(FRAME_BEGINS) - 1, 0, -1)
                          if data.endswith(FRAME_BEGINS[:size])), len(data))
        self.stream.feed(data[:begin])
        self.unfinished = data[begin:]

    @property
    def shown(self):
        """The bytes that are shown: all that were read, but not a frame whose end is still to come."""
        return self.raw[:len(self.raw) - len(self.unfinished)]

    @property
    def text(self):
        """The lines of the screen, without blanks at their ends."""
        dirty = self.screen.dirty
        if len(self.lines) != self.screen.lines:
            self.lines = [""] * self.screen.lines
            dirty = range(self.screen.lines)
        for row in dirty:
            if row < len(self.lines):
                self.lines[row] = self.line(row)
        self.screen.dirty.clear()
        return "\n".join(self.lines)

    def line(self, row):
        """The text of a line, in which a wide character hides the cell behind it."""
        cells, characters, is_hidden = self.screen.buffer[row], [], False
        for column in range(self.screen.columns):
            if is_hidden:
                is_hidden = False
                continue
            character = cells[column].data
            characters.append(character)
            # The first wide character is U+1100.
            is_hidden = character >= "\u1100" and wcwidth(character[0]) == 2
        return "".join(characters).rstrip()

    def let_compute(self, seconds):
        """Reads until the program has computed so much longer."""
        let_compute(self.process, seconds, lambda: self.read(0.005))

    def wait_for(self, what):
        """Reads until the screen has a text, matches a pattern, or fulfils a condition; returns the match."""
        took = 0
        with awaited(lambda: f"for {what}:\n{self.text}") as check:
            while True:
                # A question that takes long, such as one to the program, leaves the processor to others for as long.
                self.read(max(0.05, took))
                begun = time.monotonic()
                if isinstance(what, str):
                    found = what in self.text
                elif callable(what):
                    found = what(self)
                else:
                    found = what.search(self.text)
                if found:
                    return found
                took = time.monotonic() - begun
                if self.process.poll() is not None:
                    self.read(0.2)
                    raise AssertionError(f"the program ended with {self.process.returncode}, waiting for {what}:\n{self.text}")
                check()

    @property
    def step(self):
        """The step in the status bar; None where it is not shown."""
        match = re.search(r"(?:step )?(\d{1,3}(?: \d{3})*) ?/ ?\d", self.text)
        return int(match[1].replace(" ", "")) if match else None

    # The end

    def leave(self):
        """Leaves a screen that asks nothing, which ends the program."""
        self.type("q")
        assert self.finish() == 0, self.text

    def interrupt(self, status=130):
        """Ends the program with ctrl-c, which restores the terminal; 130 is the status of what was interrupted."""
        self.type("\x03")
        assert self.finish() == status, self.text
        self.assert_restored()

    def finish(self):
        """Waits until the program has ended; returns its status."""
        with awaited(lambda: f"for the end of the program:\n{self.text}") as check:
            while self.process.poll() is None:
                self.read()
                check()
        wait_until(lambda: not any(map(is_there, self.orphans)), "its processes are gone")
        self.read(0.1)
        return self.process.returncode

    @property
    def after(self):
        """What was printed since the screen was left."""
        return self.raw.rpartition(b"\x1b[?1049l")[2].decode(errors="replace")

    def assert_restored(self):
        """The modes are those from before: the terminal's, and those that escape sequences set."""
        assert termios.tcgetattr(self.slave) == self.before, "the terminal's modes were not put back"
        modes = {}
        for mode, letter in re.findall(rb"\x1b\[\?([\d;]+)([hl])", self.raw):
            for number in mode.split(b";"):
                modes[number] = letter
        for number, name in ((b"1049", "the other screen"), (b"2004", "bracketed paste"), (b"1", "cursor keys"),
                             (b"1000", "the mouse"), (b"1006", "the mouse's numbers"), (b"2026", "a frame")):
            assert modes.get(number, b"l") == b"l", f"{name} was not left"
        assert modes.get(b"25", b"h") == b"h", "the cursor was not shown again"
