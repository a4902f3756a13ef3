#!/usr/bin/env python3
"""Writes the pictures of screens in README.md and docs/screen.md, from runs that it trains: screens.py PROGRAM.

A picture stands between <!-- screen NAME --> and <!-- /screen -->. Needs what the tests of the terminal need (.venv)."""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "Tests/Terminal"))
from terminal import Terminal  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) == 2 else sys.exit("usage: screens.py PROGRAM")
FOLDER = tempfile.TemporaryDirectory(prefix="foretop-screens-")
RUNS = os.path.join(FOLDER.name, "runs")
os.environ["TZ"] = "UTC"


def command(verb, *arguments):
    return [PROGRAM, verb, *arguments, "--runs", RUNS]


def train(name, *settings, steps):
    """Trains a run of the smallest recipe without a screen."""
    options = [option for setting in settings for option in ("--set", setting)]
    subprocess.run(
        command("train", "tiny", "--name", name, "--steps", str(steps), "--headless", *options), check=True, cwd=ROOT,
        stdout=subprocess.DEVNULL)


def picture(terminal):
    """What the terminal shows, once it has not changed for a moment."""
    before = None
    while before != terminal.text:
        before = terminal.text
        terminal.read(0.4)
    return terminal.text.rstrip()


def shot(arguments, *acts, columns=120, rows=30):
    """A picture of a stored screen. Acts are keys, or what to wait for: a pattern."""
    with Terminal(arguments, columns, rows, cwd=ROOT) as terminal:
        for act in acts:
            terminal.type(act) if isinstance(act, str) else terminal.wait_for(act)
        return picture(terminal)


def live():
    """A run in training: the picture is taken on the way, and nobody knows at which step."""
    with Terminal(command("train", "tiny", "--name", "tiny", "--steps", "3000"), 120, 36, cwd=ROOT) as terminal:
        terminal.wait_for(lambda terminal: (terminal.step or 0) >= 2000 and "● training" in terminal.text)
        text = terminal.text.rstrip()
        terminal.wait_for("finished")
        terminal.type("q")
        terminal.finish()
        return text


def write(path, pictures):
    """Puts pictures where the file has their names; one that it does not have is an error."""
    file = os.path.join(ROOT, path)
    with open(file, encoding="utf-8") as source:
        text = source.read()
    for name, shown in pictures.items():
        pattern = re.compile(rf"(<!-- screen {name} -->\n)```text\n.*?```\n", re.DOTALL)
        if not pattern.search(text):
            sys.exit(f"{path} has no place for the picture “{name}”: <!-- screen {name} --> before ```text")
        text = pattern.sub(lambda found: f"{found[1]}```text\n{shown}\n```\n", text, count=1)
    with open(file, "w", encoding="utf-8") as target:
        target.write(text)
    print(f"{path}: {', '.join(pictures)}")


def main():
    # Before the run whose picture is taken, so that those are older.
    train("ntp", "objective.top=0", steps=1500)
    train("ntp-2", "objective.top=0", "seed=2", steps=1500)
    train("mtp4", "objective.mtp.heads=4", "model.blocks=5", steps=1500)
    train_screen = live()
    stored = command("inspect", "mtp4")
    pictures = {
        "runs": shot(command("browse"), re.compile("▸.*tiny"), "m\x1b[B\x1b[B", re.compile("recipe, against"),
            re.compile("checkpoints +[0-9]")),
        "order": shot(stored, re.compile("losses"), "2", re.compile("upcoming")),
        "ask": shot(
            stored, re.compile("losses"), "tIn the begin\r", re.compile("answer of step"), rows=24),
        "compare": shot(command("compare", "ntp", "ntp-2", "tiny", "mtp4"), re.compile("slope"), "\x1b[D" * 6),
        "tensors": shot(
            command("tensors", "tiny"), re.compile("against step"), "\x1b[B" * 4, re.compile("σ .* %"),
            re.compile("norm .*steps")),
        "data": shot([PROGRAM, "data", "tiny"], re.compile("ahead  weight"), "\x1b[C" * 20),
    }
    write("README.md", {"train": train_screen})
    write("docs/screen.md", pictures)


main()
