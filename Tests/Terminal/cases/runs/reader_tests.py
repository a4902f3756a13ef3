"""Readers of lines and JSON that are slow, that stop, or that go away."""

import json
import os
import shlex
import signal
import subprocess

from support import *


def test_a_reader_that_goes_away_does_not_end_a_run():
    process = subprocess.Popen(train("deaf", "--steps", "60", "--json"), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert state("deaf")["state"] == "finished"


def memory(process):
    """Bytes of a process's own memory."""
    with open(f"/proc/{process.pid}/statm") as file:
        pages = file.read().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def test_a_reader_that_never_reads_holds_nothing_up_and_gets_a_gap():
    # So small that its steps are many.
    small = ["--json", "--set", "tokenizer.kind=bytes", "--set", "model.width=16", "--set", "model.heads=2", "--set", "model.keyValueHeads=1",
             "--set", "model.blocks=1", "--set", "model.context=16", "--set", "batch.rows=1", "--set", "evaluate.every=0",
             "--set", "sample.every=0", "--set", "save.every=0"]
    reading, writing = os.pipe()
    process = subprocess.Popen(train("unread", "--steps", "60000", *small), stdout=writing, stdin=subprocess.DEVNULL)
    os.close(writing)
    taken = lambda: (state("unread") or {}).get("step") or 0
    ended = lambda: process.poll() is not None
    # The pipe and the queue are full.
    wait_until(lambda: ended() or taken() >= 15000, "its steps are too many for the reader")
    before = memory(process)
    wait_until(lambda: ended() or taken() >= 45000, "three times as many are taken")
    assert not ended(), "it was over before it was looked at"
    grown = memory(process) - before
    # 30 000 steps are 12 MB of JSON; the recorder keeps some bytes of each.
    assert grown < 8 << 20, f"{grown} bytes more"
    # The reader still takes nothing, and the process ends when the run does.
    assert process.wait(PATIENCE) == 0
    assert state("unread")["state"] == "finished"
    with os.fdopen(reading) as pipe:
        assert json.loads(pipe.readline())["event"] == "begin"


def test_a_slow_reader_gets_the_beginning_one_gap_and_the_end():
    small = ["--json", "--set", "tokenizer.kind=bytes", "--set", "model.width=16", "--set", "model.heads=2", "--set", "model.keyValueHeads=1",
             "--set", "model.blocks=1", "--set", "model.context=16", "--set", "batch.rows=1", "--set", "evaluate.every=0",
             "--set", "sample.every=0", "--set", "save.every=0"]
    process = subprocess.Popen(
        train("slow", *ENDLESS[:2], *small), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    wait_until(lambda: ((state("slow") or {}).get("step") or 0) >= 15000, "its steps are too many for the reader")
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: checkpoints("slow"), "it is saved")
    found = {}
    for line in process.stdout:
        event = json.loads(line)
        found.setdefault(event["event"], []).append(event)
        if event.get("kind") == "saved":
            break
    process.send_signal(signal.SIGTERM)
    found["end"] = [json.loads(line) for line in process.stdout][-1:]
    assert process.wait(PATIENCE) == 143
    steps = [event["step"] for event in found["step"]]
    gaps = found["gap"]
    assert steps == sorted(set(steps)) and gaps[0]["firstStep"] > 1, gaps
    for gap in gaps:
        assert gap["steps"] == gap["lastStep"] - gap["firstStep"] + 1, gap
        assert not any(gap["firstStep"] <= step <= gap["lastStep"] for step in steps), gap
    assert len(steps) + sum(gap["steps"] for gap in gaps) >= 15000
    assert [event for event in found["occurrence"] if event["kind"] == "saved"][0]["request"] == 1


def test_a_full_disk_is_no_empty_answer():
    run(train("full-list", "--steps", "3", "--headless"))
    for arguments in (command("runs"), command("runs", "--json"), command("inspect", "full-list", "--json")):
        with open("/dev/full", "w") as full:
            result = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        assert result.returncode == 74 and "standard output" in result.stderr, result


def test_closed_and_full_streams_end_nothing_but_the_output():
    for number, closed in enumerate((">&-", "<&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full")):
        for mode in ("--headless", "--json"):
            name = f"closed-{number}{mode}"
            words = " ".join(shlex.quote(word) for word in train(name, "--steps", "2", mode))
            subprocess.run(["sh", "-c", f"{words} {closed}"], capture_output=True, timeout=PATIENCE)
            assert state(name)["state"] == "finished", (closed, mode, state(name))
    run(train("full", "--steps", "2", "--headless"))
    for words in (["generate", "full", "--prompt", "x"], ["inspect", "full", "recipe"], ["inspect", "full", "metrics", "--json"],
                  ["inspect", "full"], ["runs"], ["verify", "full"]):
        for target in (">/dev/full", ">&-"):
            line = " ".join(shlex.quote(word) for word in command(*words)) + " " + target
            result = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE)
            assert result.returncode == 74 and "standard output cannot be written" in result.stderr, (line, result)
    for words in ("--help", "--version", "runs --help"):
        result = subprocess.run(["sh", "-c", f"{PROGRAM} {words} >/dev/full"], capture_output=True, text=True)
        assert result.returncode == 74, (words, result)
