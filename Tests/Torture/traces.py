"""Traces of what the writer does to its files, and the states made from them, in processes that may crash themselves."""

import shutil
import subprocess

from common import *

RUNS = os.path.join(FOLDER, "traced")


def traced(name, *arguments):
    """Runs the writer under the wiretap; returns the trace's path."""
    trace = os.path.join(FOLDER, name + ".trace")
    run([WRITER, *arguments], env=dict(os.environ, WIRETAP_FOLDER=RUNS, WIRETAP_TRACE=trace, LD_PRELOAD=WIRETAP))
    return trace


def fresh():
    shutil.rmtree(RUNS, ignore_errors=True)
    os.makedirs(RUNS)


def killed(name):
    """A copy of a folder with a run in it that was killed after some steps."""
    fresh()
    last = draws("killed " + name).randint(40, 160)
    writer = subprocess.Popen([WRITER, "write", RUNS + "/a", "1000000", "0"], stdout=subprocess.PIPE)
    for line in writer.stdout:
        if line == b"stored %d\n" % last:
            break
    writer.kill()
    writer.communicate()
    start = os.path.join(FOLDER, name + ".start")
    shutil.copytree(RUNS, start, ignore=shutil.ignore_patterns("control.sock"))
    return start


def rows_of(start):
    """How many steps a stored run has."""
    lines = run([PROGRAM, "inspect", "a", "--runs", start, "--json"]).stdout.splitlines()
    return sum(json.loads(line)["event"] == "step" for line in lines)


def states(how, trace, start, count):
    """Goes through the states of a trace; returns how many, and sentences on those that are bad."""
    scratch = trace + "." + how
    first, tried, problems = 0, 0, []
    while True:
        result = subprocess.run(
            [WRITER, how, trace, start or "-", scratch, "a", str(count), str(first)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace")
        last = first
        for line in result.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "at":
                last = int(rest)
                tried += 1
            elif word == "bad":
                problems.append(f"{os.path.basename(trace)} {rest}")
        shutil.rmtree(scratch, ignore_errors=True)
        if result.returncode == 0:
            return tried, problems
        problems.append(f"{os.path.basename(trace)} {last}: ended with {result.returncode}: {result.stderr[-500:]}")
        first = last + 1
