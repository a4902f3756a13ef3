"""Runs that mpirun starts, and how they are followed."""

import json
import os
import signal
import subprocess

from support import PATIENCE, RUNS, TEXT, PROGRAM, checkpoints, command, events, wait_until
from waiting import children

# As root in a container, with more ranks than cores.
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
# What makes sums differ by rounding alone.
EXACT = ["--set", "precision=fp32", "--set", "sample.every=0"]


def mpirun(count, arguments):
    return [*MPIRUN, "-n", str(count), *arguments]


def train(name, *options, recipe="tiny", data=TEXT):
    return [PROGRAM, "train", recipe, "--name", name, "--runs", RUNS, "--data", data, "--threads", "1", *EXACT, *options]


def run(arguments, status=0):
    """Runs a command to its end; returns what it said, after checking its status; None takes any."""
    result = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    assert status is None or result.returncode == status, (
        f"{arguments} ended with {result.returncode}, not {status}:\n{result.stdout}{result.stderr}")
    return result


def steps(name):
    """The numbers of every step of a stored run that a replay repeats."""
    return [
        (event["step"], event["tokens"], event["loss"], event["rate"], event["gradientNorm"])
        for event in events(name, "step")]


def numbers(value):
    """All numbers in an object, in its order."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, (list, tuple)):
        return [number for part in value for number in numbers(part)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def largest_difference(one, other):
    a, b = numbers(one), numbers(other)
    assert len(a) == len(b) and a, f"{len(a)} numbers, and {len(b)}"
    return max(abs(x - y) / max(1, abs(y)) for x, y in zip(a, b))


class Ranks:
    """A run of several ranks that goes on."""

    def __init__(self, count, arguments):
        self.count = count
        self.process = subprocess.Popen(
            mpirun(count, arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.output = []

    def reach(self, step):
        """Waits until it has come to a step; it prints JSON."""
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith("{") and json.loads(line).get("step", 0) >= step:
                return self
        raise AssertionError(f"it ended before step {step}: {''.join(self.output[-3:])}{self.process.stderr.read()}")

    def processes(self):
        """The processes of the ranks, in the order of ranks."""
        found = {}
        for number in children(self.process):
            with open(f"/proc/{number}/environ", "rb") as file:
                words = dict(word.split(b"=", 1) for word in file.read().split(b"\0") if b"=" in word)
            if b"OMPI_COMM_WORLD_RANK" in words:
                found[int(words[b"OMPI_COMM_WORLD_RANK"])] = number
        assert len(found) == self.count, f"ranks {found}"
        return [found[rank] for rank in range(self.count)]

    def end(self):
        """Waits for its end; returns the status, and what was said on standard output and error."""
        out, error = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, "".join(self.output) + out, error


def memory(process, what="Private_Dirty"):
    """Bytes of a process's memory that nobody shares."""
    with open(f"/proc/{process}/smaps_rollup") as file:
        for line in file:
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no {what} of {process}")


__all__ = [
    "PROGRAM", "RUNS", "Ranks", "checkpoints", "command", "events", "largest_difference", "memory", "mpirun", "numbers",
    "os", "run", "signal", "steps", "train", "wait_until",
]
