"""An experiment of some seconds, and how it is killed."""

import os
import signal
import subprocess

from support import FOLDER, PROGRAM, RUNS, draws, run
from waiting import children, wait_until

WORDS = """# Paths of two nodes, for tests.
recipe: stargraph-quick
set:
  data.graph.length: 2
  data.graph.nodes: 30
  data.graph.test: 64
  model.blocks: 2
  model.width: 32
  model.heads: 2
  model.keyValueHeads: 2
  model.inner: 48
  model.context: 12
  batch.rows: 16
  steps: 120
  evaluate.every: 20
  save.every: 10
  save.keep: 0
  sample.every: 0
  stop.until: accuracy/path >= 0.9
settings:
  ntp: {objective.top: 0}
  top: {}
seeds: 2
threads: 1
"""
EXPERIMENT = os.path.join(FOLDER, "paths.yaml")
with open(EXPERIMENT, "w") as _file:
    _file.write(WORDS)


def experiment(name, verb="run"):
    """The command that runs the experiment under this name, or reports it."""
    return [PROGRAM, "experiment", verb, EXPERIMENT, "--runs", RUNS, "--name", name]


def table(name):
    """The table as CSV, without the seconds, which differ from run to run."""
    lines = run([*experiment(name, "report"), "--csv"]).stdout.splitlines()
    return "\n".join(line.rsplit(",", 1)[0] for line in lines)


def _saved(name):
    """How many checkpoints its cells have."""
    count = 0
    for folder, _, files in os.walk(os.path.join(RUNS, name)):
        count += sum(file.endswith(".h5") and file[:-3].isdigit() for file in files)
    return count


def killed(name, times):
    """Runs the experiment, kills it so many times where it can, with its cells or without, and lets it go on to the end.

    Returns how often it was killed before its end.
    """
    count = 0
    draw = draws(f"kills of {name}")
    for _ in range(times):
        wanted = _saved(name) + draw.randint(0, 3)
        process = subprocess.Popen(
            [*experiment(name), "--headless", "--jobs", "2"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_until(lambda: process.poll() is not None or _saved(name) >= wanted, f"{wanted} checkpoints of {name}")
        cells = children(process) if draw.random() < 0.5 else []
        if process.poll() is None:
            count += 1
            process.kill()
        for cell in cells:
            try:
                os.kill(cell, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
    run([*experiment(name), "--headless", "--jobs", "2"])
    return count
