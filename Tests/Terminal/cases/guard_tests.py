"""The guard: weights that are spoilt end a run that nobody watches, sound checkpoints stay, and the advice works."""

import json
import re
import shlex
import subprocess

from support import *

SMALL = [
    word for change in ("tokenizer.kind=bytes", "model.width=32", "model.inner=64", "model.context=16", "batch.rows=2", "save.every=20",
                        "save.keep=2", "evaluate.every=0", "sample.every=0", "schedule.kind=constant", "schedule.rate=0.001",
                        "schedule.warmup=0")
    for word in ("--set", change)]


def spoilt(name, *options):
    """A run whose rate was made one that no weights survive, when it had some checkpoints; its status and its lines."""
    process = subprocess.Popen(
        train(name, "--steps", "1000000", *SMALL, *options, "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: any(step >= 60 for step in checkpoints(name)), f"{name} has some checkpoints")
    run(command("tell", name, "rate", "1"))
    lines = [json.loads(line) for line in process.stdout]
    return process.wait(), lines


def test_spoilt_weights_end_a_run_and_the_advice_works():
    status, lines = spoilt("wild")
    assert status == 1 and state("wild")["state"] == "diverged", status
    (said,) = [line["text"] for line in lines if line["event"] == "occurrence" and line["kind"] == "diverged"]
    advice = re.search(r"“foretop (resume wild --step (\d+) --set schedule.rate=5e-4)”", said)
    assert "the weights are spoilt" in said and advice, said
    sound = int(advice[2])
    # Whatever was saved since took the place of no sound checkpoint.
    assert sound in checkpoints("wild"), (sound, checkpoints("wild"))
    before = checkpoints("wild")
    ended = run([PROGRAM, *shlex.split(advice[1]), "--runs", RUNS, "--steps", str(sound + 30), "--headless", "--threads", "1"])
    assert f"“wild~2” is a branch of “wild” at step {sound}" in ended.stdout, ended.stdout
    assert state("wild~2")["state"] == "finished" and checkpoints("wild") == before
    assert "every loss and norm to the bit" in run(command("replay", "wild")).stdout
    run(command("prune", "wild", "--keep", "1", "--yes"))
    assert checkpoints("wild") == [sound], checkpoints("wild")


def test_the_guard_goes_back_by_itself_as_often_as_it_may():
    status, lines = spoilt("tame", "--set", "guard.does=back", "--set", "guard.most=1", "--steps", "200")
    begins = [line for line in lines if line["event"] == "begin"]
    assert [line["name"] for line in begins] == ["tame", "tame~2"] and status == 0, (status, begins)
    at = begins[1]["parentStep"]
    rates = [line for line in lines if line["event"] == "occurrence" and line["kind"] == "rate" and line["actor"] == "guard"]
    assert [(line["step"], line["new"]) for line in rates] == [(at, 0.0005)], rates
    branches = [line for line in lines if line["event"] == "occurrence" and line["kind"] == "branch"]
    assert [line["actor"] for line in branches] == ["guard", "guard"], branches
    assert state("tame")["state"] == "diverged" and state("tame~2")["step"] == 200
    for name in ("tame", "tame~2"):
        assert "every loss and norm to the bit" in run(command("replay", name)).stdout


def test_a_wrong_word_for_the_guard_is_refused():
    wrong = run(train("guarded", "--set", "guard.on=nan", "--headless"), status=64)
    assert "guard.on has “nan”, but the guard knows nonfinite and spike" in wrong.stderr, wrong.stderr
