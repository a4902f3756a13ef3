"""What the rows share: paths, a text and a recipe of milliseconds a step, sessions that can be killed, and how a stored run
is compared with one that nothing happened to."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from waiting import PATIENCE, SEED, draws, let_compute, wait_until

PROGRAM = os.environ["TORTURE_PROGRAM"]
WRITER = os.environ["TORTURE_WRITER"]
WIRETAP = os.environ["TORTURE_WIRETAP"]
FOLDER = tempfile.mkdtemp(dir=os.environ["TORTURE_SCRATCH"])
IS_FULL = sys.argv[1:] == ["full"]

os.environ["GOMP_SPINCOUNT"] = "500"  # so that the program need not start itself again with it

TEXT = os.path.join(FOLDER, "text.txt")
_words = "and the of that it unto lord shall in he said for them all his be which thou not is was land son day".split()
_draw = draws("text")
with open(TEXT, "w") as _file:
    for _ in range(400):
        _file.write(" ".join(_draw.choice(_words) for _ in range(12)) + ".\n")

SETTINGS = {
    "tokenizer.kind": "bytes", "model.width": 32, "model.inner": 64, "model.context": 32, "batch.rows": 4,
    "data.heldOut": 0.02, "evaluate.every": 20, "save.every": 15, "sample.every": 25, "schedule.kind": "constant",
}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def settings(**changes):
    """`--set` for the recipe; `save__every=5` is save.every=5."""
    merged = {**SETTINGS, **{key.replace("__", "."): value for key, value in changes.items()}}
    return [word for key, value in merged.items() for word in ("--set", f"{key}={value}")]


def train(runs, name, steps, **changes):
    return [PROGRAM, "train", "tiny", "--runs", runs, "--name", name, "--data", TEXT, "--threads", "1", "--steps",
            str(steps), *settings(**changes)]


def resume(runs, name):
    return [PROGRAM, "resume", name, "--runs", runs, "--threads", "1"]


def run(arguments, statuses=(0,), **options):
    result = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, errors="replace", **options)
    assert result.returncode in statuses, (
        f"{' '.join(arguments)} ended with {result.returncode}:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result


def parsed(lines):
    """Objects of lines of JSON; a last line that is torn is none."""
    events = []
    for line in lines.split("\n")[:-1]:
        events.append(json.loads(line))
    return events


def stored(runs, name):
    return parsed(run([PROGRAM, "inspect", name, "--runs", runs, "--json"]).stdout)


# How often rows of tables were picked is counted since a session began.
COUNTED = {"used", "entropy", "dead", "most"}
TIMES = {"time", "active", "tokensPerSecond", "phases", "seconds", "throughput", "positions"}


def essence(event):
    """What must be the same whenever it is computed again."""
    kept = {key: value for key, value in event.items() if key not in TIMES}
    if "memory" in kept:
        kept["memory"] = {key: value for key, value in kept["memory"].items() if key not in COUNTED}
    return kept


class Truth:
    """What a run holds that nothing happened to."""

    def __init__(self, runs, name):
        self.events = {}
        for event in stored(runs, name):
            if event["event"] in ("step", "heldout", "text", "order"):
                self.events[event["event"], event["step"]] = essence(event)
        self.every = {"step": 1, "heldout": SETTINGS["evaluate.every"], "text": SETTINGS["sample.every"],
                      "order": SETTINGS["sample.every"]}

    def compare(self, events, confirmed):
        """Sentences on what is wrong in a stored run, of which everything up to a step was confirmed."""
        found = {kind: [] for kind in self.every}
        problems = []
        for event in events:
            kind = event["event"]
            if kind not in found:
                continue
            found[kind].append(event["step"])
            wanted = self.events.get((kind, event["step"]))
            if wanted != essence(event):
                problems.append(f"{kind} {event['step']} is {essence(event)}, not {wanted}")
        for kind, steps in found.items():
            every = self.every[kind]
            if steps != list(range(every, (steps[-1] if steps else 0) + 1, every)):
                problems.append(f"{kind}: not every step once: … {steps[-20:]}")
            if (steps[-1] if steps else 0) < confirmed // every * every:
                problems.append(f"{kind}: {confirmed} was confirmed, and the last is {steps[-1:]}")
        return problems


def checkpoint_steps(runs, name):
    folder = os.path.join(runs, name, "checkpoints")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(file[:-3]) for file in names if re.fullmatch(r"\d+\.h5", file))


def checkpoint_numbers(runs, name, step):
    """Every tensor of a checkpoint, weights and moments, as bytes."""
    import h5py
    found = {}
    with h5py.File(os.path.join(runs, name, "checkpoints", f"{step:09}.h5"), "r") as file:
        for root in ("model", "optimizer"):
            file[root].visititems(
                lambda path, item: found.update({f"{root}/{path}": item[()].tobytes()})
                if isinstance(item, h5py.Dataset) else None)
    return found


def finish(*rows):
    """Prints the rows, and ends the process."""
    for what, count, bad in rows:
        print(f"{what} | {count} | {bad}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(0)
