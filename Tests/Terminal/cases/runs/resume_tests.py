"""Runs that go on with changes, and runs that two processes want at once."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time

from people_tests import SMALL
from support import *


def losses(name):
    return {event["step"]: event["loss"] for event in events(name, "step")}


CONSTANT = ["--set", "schedule.kind=constant", "--set", "evaluate.every=0", "--set", "save.every=0", "--set", "sample.every=0"]


def test_a_weight_changed_at_a_resume_is_the_weight_changed_by_a_key():
    options = ["--set", "tokenizer.kind=bytes", "--set", "model.context=16", *CONSTANT]
    with begin("weight-live", "--steps", "100000", *options) as terminal:
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.type("w\x1b[B0.5\r")
        terminal.wait_for(lambda _: occurrences("weight-live", "weight"))
        [changed] = [event for event in occurrences("weight-live", "weight")]
        step = changed["step"]
        terminal.type(" ")
        terminal.wait_for(lambda terminal: (terminal.step or 0) > step + 15)
        terminal.type("\x03")
        terminal.finish()
    run(train("weight-resumed", "--headless", "--steps", str(step), *options))
    run(command("resume", "weight-resumed", "--headless", "--steps", str(step + 15), "--set", f"objective.{changed['key']}={changed['new']}"))
    live, resumed = losses("weight-live"), losses("weight-resumed")
    assert [live[number] for number in range(1, step + 16)] == [resumed[number] for number in range(1, step + 16)]
    [again] = occurrences("weight-resumed", "weight")
    assert changed["key"] == "top" and (again["step"], again["key"], again["old"], again["new"], again["actor"]) == (
        step, changed["key"], changed["old"], changed["new"], "commandLine"), again
    # It holds when the run goes on without it, and can be taken back.
    run(command("resume", "weight-resumed", "--headless", "--steps", str(step + 17)))
    run(command("resume", "weight-resumed", "--headless", "--steps", str(step + 19), "--set", f"objective.{changed['key']}=1"))
    assert [(event["old"], event["new"]) for event in occurrences("weight-resumed", "weight")] == [(1, changed["new"]), (changed["new"], 1)]


def test_weights_that_cannot_be_changed_are_refused_with_the_reason():
    run(train("no-top", "--steps", "4", *SMALL, "--set", "objective.top=0"))
    said = run(command("resume", "no-top", "--headless", "--steps", "8", "--set", "objective.top=0.5"), status=64).stderr
    assert "has no top head" in said and "import" in said, said
    said = run(command("resume", "no-top", "--headless", "--steps", "8", "--set", "objective.ntp=0"), status=64).stderr
    assert "nothing would be learned" in said, said
    said = run(command("resume", "no-top", "--headless", "--steps", "8", "--set", "objective.temperature=2"), status=64).stderr
    assert "objective.temperature cannot change" in said, said
    assert len(events("no-top", "step")) == 4


def test_a_batch_changed_at_a_resume_goes_on_at_the_next_row():
    rows = ["--set", "batch.rows=4", "--set", "precision=fp32", "--set", "model.dropout=0"]
    options = [*SMALL, *CONSTANT, *rows]
    run(train("batch-whole", "--steps", "10", *options))
    run(train("batch", "--steps", "5", *options))
    run(command("resume", "batch", "--headless", "--steps", "8", "--set", "batch.rows=2", "--set", "batch.accumulation=2"))
    whole, split = losses("batch-whole"), losses("batch")
    # The same rows in smaller pieces: the sums differ by rounding alone; other rows would differ in the second digit.
    for step in range(6, 9):
        assert abs(whole[step]["total"] - split[step]["total"]) < 1e-4, (step, whole[step], split[step])
    run(command("resume", "batch", "--headless", "--steps", "10", "--set", "batch.rows=6", "--set", "batch.accumulation=1"))
    tokens = [event["tokens"] for event in events("batch", "step")]
    assert tokens == [4 * 16 * step for step in range(1, 9)] + [4 * 16 * 8 + 6 * 16 * more for more in (1, 2)], tokens
    said = {(event["step"], event["key"], event["old"], event["new"]) for event in occurrences("batch", "notice") if event.get("key", "").startswith("batch.")}
    assert said == {(5, "batch.rows", 4, 2), (5, "batch.accumulation", 1, 2), (8, "batch.rows", 2, 6), (8, "batch.accumulation", 2, 1)}, said
    run(command("verify", "batch"))
    assert "batch.rows" in run(command("inspect", "batch", "events")).stdout


def test_what_becomes_of_stored_steps_is_said_before_the_first():
    name = "replaced"
    options = [*SMALL, *CONSTANT, "--set", "save.every=5"]
    process = subprocess.Popen(
        [word for word in train(name, "--steps", "100000", *options, "--json") if word != "--headless"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "step" and event["step"] > 60 and checkpoints(name) and event["step"] % 5 == 3:
            break
    process.kill()
    process.communicate()
    last = checkpoints(name)[-1]
    stored = state(name)["step"]
    assert stored > last
    result = run(command("resume", name, "--json", "--steps", str(stored + 5), "--threads", "2"))
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    first = next(index for index, event in enumerate(printed) if event["event"] == "step")
    before = [event["text"] for event in printed[:first] if event["event"] == "occurrence"]
    assert any(text.startswith("threads 1 → 2") for text in before), before
    assert any("computed again with another number of threads" in text and f"to {stored}" in text for text in before), before
    assert any("threads 1 → 2" in event["text"] for event in occurrences(name, "notice"))
    # With nothing changed, nothing is said.
    run(train("unchanged", "--steps", "4", *SMALL, *CONSTANT))
    run(command("resume", "unchanged", "--headless", "--steps", "8"))
    assert not [event for event in occurrences("unchanged", "warning") + occurrences("unchanged", "notice")]


def test_a_run_that_another_process_is_just_beginning_is_no_missing_one():
    folder = os.path.join(RUNS, "begun")
    os.makedirs(os.path.join(folder, "checkpoints"))
    with open(os.path.join(folder, "run.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for journal in (False, True):
            if journal:
                open(os.path.join(folder, "run.journal"), "w").close()
            for verb in (["resume", "begun", "--headless"], ["inspect", "begun"], ["note", "begun", "x"]):
                run(command(*verb), status=69)
    shutil.rmtree(folder)


def test_the_loser_of_a_race_is_told_that_another_process_has_the_run():
    for turn in range(2):
        name = f"race-{turn}"
        first = subprocess.Popen(
            train(name, *ENDLESS, *SMALL), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # What is just being begun is resumed: at several moments of its beginning.
        others = []
        deadline = time.monotonic() + PATIENCE
        while len(others) < 5:
            assert time.monotonic() < deadline and first.poll() is None
            if os.path.exists(os.path.join(RUNS, name, "run.lock")):
                others.append(subprocess.Popen(
                    command("resume", name, "--headless"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, text=True))
        said = [(process.communicate(timeout=PATIENCE)[0], process.returncode) for process in others]
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=PATIENCE) == 143
        assert {status for _, status in said} == {69}, said
    run(train("race-resume", "--steps", "4", *SMALL))
    endless = command("resume", "race-resume", "--headless", "--steps", "1000000")
    processes = [subprocess.Popen(endless, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                 for _ in range(4)]
    # The one that has the run is told to end when the others have given up.
    deadline = time.monotonic() + PATIENCE
    while len([process for process in processes if process.poll() is None]) > 1 or state("race-resume")["step"] < 5:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    said = [(process.communicate(timeout=PATIENCE)[0], process.returncode) for process in processes]
    assert sorted(status for _, status in said) == [69, 69, 69, 143], said


# What a terminal must not obey


def test_checkpoints_without_moments_of_tables_say_where_bits_end():
    tables = ["--set", "model.memory.keys=16", "--set", "model.memory.top=4", "--set", "model.memory.valueWidth=16",
              "--set", "model.memory.preWidth=8", "--set", "save.weightsOnly=true", "--set", "save.every=10"]
    run(train("light", "--headless", "--steps", "20", *tables))
    result = run(command("resume", "light", "--headless", "--steps", "40"))
    words = "the checkpoint of step 20 has no moments of memory layers' tables (save.weightsOnly): these begin at zero"
    assert words in result.stdout + result.stderr, result.stdout
    assert any(words in event["text"] for event in occurrences("light", "warning"))
    assert [event["step"] for event in events("light", "step")] == list(range(1, 41))
    run(command("verify", "light"))
    # A replay begins without these moments where the run did.
    assert "the same: steps 1 to 40" in run(command("replay", "light")).stdout
