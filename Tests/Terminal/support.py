"""What the tests share: a folder of their own, a text to train on, and the program's commands."""

import atexit
import json
import os
import random
import shutil
import signal
import string
import subprocess
import sys
import tempfile

from terminal import Terminal
from waiting import IS_FULL, PATIENCE, SEED, computed, draws, let_compute, trainer, wait_until

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
# A short path, of which screens of usual widths show all.
FOLDER = tempfile.mkdtemp(prefix="ft-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
RUNS = os.path.join(FOLDER, "runs")
os.environ["XDG_CACHE_HOME"] = os.path.join(FOLDER, "cache")

TEXT = os.path.join(FOLDER, "text.txt")
_words = "and the of that it unto lord shall in he said for them all his be which thou not is was land son day".split()
_draw = random.Random(1)
with open(TEXT, "w") as _file:
    for _ in range(2000):
        _file.write(" ".join(_draw.choice(_words) for _ in range(12)) + ".\n")


def long_text(lines=60_000):
    """The path of a text that takes seconds to train a tokenizer of thousands of pieces from, to encode, and to evaluate; made
    once."""
    path = os.path.join(FOLDER, f"long-{lines}.txt")
    if not os.path.exists(path):
        draw = random.Random(2)
        words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 12))) for _ in range(40_000)]
        with open(path, "w") as file:
            for _ in range(lines):
                file.write(" ".join(draw.choices(words, k=12)) + ".\n")
    return path


class Skipped(Exception):
    """Says why a test cannot run here."""


# A run that nobody waits for: it is stopped by the tests.
ENDLESS = ["--steps", "1000000", "--set", "evaluate.every=0", "--set", "save.every=0", "--set", "sample.every=20"]


def train(name, *options, recipe="tiny", data=TEXT):
    """The command that trains a run of this name. One that goes on until it is stopped takes what others leave of the processor: it
    would hold up what other tests wait for."""
    nice = [shutil.which("nice"), "-n", "10"] if ENDLESS[1] in options else []
    return [*nice, PROGRAM, "train", recipe, "--name", name, "--runs", RUNS, "--data", data, "--threads", "1", *options]


def command(verb, *arguments):
    return [PROGRAM, verb, *arguments, "--runs", RUNS]


def run(arguments, status=0, **options):
    """Runs a command without a terminal; returns what it printed, after checking its status; None takes any."""
    result = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, **options)
    assert status is None or result.returncode == status, (
        f"{arguments} ended with {result.returncode}, not {status}:\n{result.stdout}{result.stderr}")
    return result


def complaints(result):
    """The lines on standard error, without those that tell how far long work is: a busy machine has them."""
    return [line for line in result.stderr.splitlines() if line.startswith("foretop: ")]


def objects(arguments, **options):
    """What a command prints with --json: an object a line."""
    return [json.loads(line) for line in run([*arguments, "--json"], **options).stdout.splitlines()]


def going_on(name, step):
    """The process of a run that has come to this step and goes on without a terminal."""
    process = subprocess.Popen(train(name, *ENDLESS, "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if json.loads(line).get("step", 0) >= step:
            return process
    raise AssertionError(f"{name} ended before step {step}")


def events(name, kind=None):
    """What a stored run tells, as JSON objects."""
    return [event for event in objects(command("inspect", name)) if kind is None or event["event"] == kind]


def occurrences(name, kind):
    return [event for event in events(name, "occurrence") if event["kind"] == kind]


def state(name):
    """What is known of a run; None where there is none of this name."""
    if not os.path.isdir(os.path.join(RUNS, name)):
        return None
    alone = subprocess.run(
        command("inspect", name, "summary", "--json"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE)
    if alone.returncode == 0:
        return json.loads(alone.stdout)
    # The list has those too that cannot be opened.
    for summary in objects(command("runs")):
        if summary["name"] == name:
            return summary
    return None


def checkpoints(name):
    """The steps of a run's finished checkpoints."""
    folder = os.path.join(RUNS, name, "checkpoints")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(file[:-3]) for file in names if file.endswith(".h5") and file[:-3].isdigit())


def begin(name, *options, columns=100, rows=30, env=None, recipe="tiny"):
    """A run on a terminal that has taken some steps."""
    terminal = Terminal(train(name, *(options or ENDLESS), recipe=recipe), columns, rows, env)
    terminal.wait_for(lambda terminal: (terminal.step or 0) >= 3)
    return terminal


def end_left(numbers):
    """Ends the processes with these numbers that train in this test's folder still, and waits until they are gone."""
    def trains_here(number):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                return FOLDER.encode() in file.read()
        except OSError:
            return False

    for number in filter(trains_here, numbers):
        os.kill(number, signal.SIGKILL)
        wait_until(lambda: not trains_here(number), f"process {number} is gone")


__all__ = [
    "ENDLESS", "FOLDER", "IS_FULL", "PATIENCE", "PROGRAM", "ROOT", "RUNS", "SEED", "Skipped", "TEXT", "Terminal", "begin",
    "checkpoints", "command", "complaints", "computed", "draws", "end_left", "events", "going_on", "let_compute", "long_text", "objects", "occurrences", "run", "state",
    "train", "trainer", "wait_until",
]
