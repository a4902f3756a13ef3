"""Whatever tests start ends with them: a process above theirs adopts what has lost its parent, and kills what is left."""

import contextlib
import ctypes
import os
import signal
import time

from stillness import descendants

# Numbers of <linux/prctl.h>.
DIE_WITH_PARENT, ADOPT = 1, 36


def set_process(option, value):
    """prctl."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


class Told(BaseException):
    """A signal that ends the tests."""


def keep():
    """Divides this process: the one that returns goes on with tests, the other one waits for it, ends what is left below, and has
    the same status. It does so at a signal, too, or when its own parent ends."""
    set_process(ADOPT, 1)
    set_process(DIE_WITH_PARENT, signal.SIGTERM)
    keeper, tests = os.getpid(), os.fork()
    if tests == 0:
        set_process(DIE_WITH_PARENT, signal.SIGKILL)
        return keeper
    status = 1
    try:
        def told(number, _):
            raise Told(number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, told)
        gone = None
        while gone != tests:
            # Those that were adopted are asked for their status, too: a control group counts them until then.
            gone, status = os.wait()
        status = os.waitstatus_to_exitcode(status)
    except Told:
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        end_all(keeper)
    os._exit(status if status >= 0 else 128 - status)


def end_all(number):
    """Kills all processes below this one and takes their status, until there are none."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for one in descendants(number):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(one, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.01)


def end_programs(path, numbers):
    """Kills those of these processes that run the program at a path."""
    program = os.path.realpath(path)
    for number in numbers:
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{number}/exe") == program:
                os.kill(number, signal.SIGKILL)
