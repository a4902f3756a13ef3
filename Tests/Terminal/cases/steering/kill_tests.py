"""Runs that are killed: nothing of a checkpoint is lost, and everybody can open what is left."""

import os
import signal

from support import *


def test_kills_lose_no_checkpoint():
    name = "killed"
    # A constant rate, so that the last session, which has another number of steps, computes the same again.
    options = ["--headless", "--steps", "1000000", "--set", "schedule.kind=constant", "--set", "save.every=7", "--set", "save.keep=0", "--set", "evaluate.every=20"]
    draw = draws("kills")
    for attempt in range(20 if IS_FULL else 5):
        saved = checkpoints(name)
        if attempt == 0:
            arguments = train(name, *options)
        else:
            arguments = command("resume", name, "--headless")
        with Terminal(arguments) as terminal:
            terminal.wait_for(lambda terminal: b"tok/s" in terminal.raw)
            # Not all at the same place of a step.
            terminal.let_compute(draw.uniform(0.02, 0.4))
            terminal.signal(signal.SIGKILL)
            terminal.finish()
        assert state(name)["state"] == "interrupted", state(name)
        steps = [event["step"] for event in events(name, "step")]
        assert steps and steps == list(range(1, len(steps) + 1)), "steps are missing or twice there"
        assert set(saved) <= set(checkpoints(name)), f"{set(saved) - set(checkpoints(name))} are lost"
    last = checkpoints(name)[-1]
    with Terminal(command("resume", name, "--headless", "--steps", str(steps[-1] + 10))) as terminal:
        assert terminal.finish() == 0, terminal.text
    begun = events(name, "begin")
    assert begun[-1]["step"] == last, (begun[-1]["step"], last)
    steps = [event["step"] for event in events(name, "step")]
    assert len(steps) > last and steps == list(range(1, len(steps) + 1))
    # What was computed again after each kill came out the same.
    assert not [event for event in occurrences(name, "warning") if event.get("key") == "replay"]


def test_a_run_killed_before_its_first_checkpoint_begins_again_with_the_same_commands():
    name = "replayed"
    with begin(name) as terminal:
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.type("]")
        terminal.wait_for(lambda _: occurrences(name, "rate"))
        terminal.type(" ")
        step = terminal.step
        terminal.wait_for(lambda terminal: terminal.step >= step + 20)
        terminal.signal(signal.SIGKILL)
        terminal.finish()
    assert checkpoints(name) == []
    before = [event["loss"] for event in events(name, "step")]
    with Terminal(command("resume", name)) as terminal:
        terminal.wait_for(lambda terminal: (terminal.step or 0) > len(before) + 5)
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
    after = events(name, "step")
    assert [event["step"] for event in after] == list(range(1, len(after) + 1))
    assert [event["loss"] for event in after[: len(before)]] == before
    assert not [event for event in occurrences(name, "warning") if event.get("key") == "replay"]
    assert len(occurrences(name, "rate")) == 1, occurrences(name, "rate")


def test_a_recovered_run_is_opened_by_everybody():
    import h5py

    with begin("recovered") as terminal:
        terminal.signal(signal.SIGKILL)
        terminal.finish()
    path = os.path.join(RUNS, "recovered", "run.h5")
    steps = state("recovered")["step"]
    run(command("recover", "recovered"))
    with h5py.File(path, "r") as file:
        assert file["metrics/step"][-1] == steps, (file["metrics/step"][-5:], steps)
    assert state("recovered")["state"] == "interrupted"


def test_python_reads_a_live_run():
    import h5py

    with begin("live") as terminal:
        with h5py.File(os.path.join(RUNS, "live", "run.h5"), "r", swmr=True) as file:
            def rows():
                terminal.read()
                file["metrics/commit"].refresh()
                return file["metrics/commit"].shape[0]

            first = wait_until(rows, "there are rows")
            wait_until(lambda: rows() > first, f"there are more rows than {first}")
