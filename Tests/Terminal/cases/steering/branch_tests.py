"""Branches: `foretop branch`, `resume --step`, and what the other commands make of them; and the guard, which goes back by itself."""

import json
import os
import re
import shlex
import subprocess

from control_tests import stop, tell, training
from support import *

SHORT = ["--steps", "60", "--set", "save.every=10", "--set", "evaluate.every=20", "--set", "sample.every=0",
         "--set", "save.keep=0", "--headless"] + [
    word for change in ("tokenizer.kind=bytes", "model.width=32", "model.inner=64", "model.context=16", "batch.rows=2")
    for word in ("--set", change)]


def parent(name):
    if state(name) is None:
        run(train(name, *SHORT))
    return os.path.join(RUNS, name)


def steps(name):
    """Losses and norms of every step, as the file has them."""
    timeless = {"time", "active", "tokensPerSecond", "throughput", "phase", "phases"}
    return {event["step"]: {key: value for key, value in event.items() if key not in timeless}
            for event in events(name, "step")}


def files(name):
    found = {}
    for folder, _, names in os.walk(os.path.join(RUNS, name)):
        for file in names:
            path = os.path.join(folder, file)
            with open(path, "rb") as opened:
                found[os.path.relpath(path, RUNS)] = opened.read()
    return found


def test_a_branch_without_a_change_has_its_parents_losses_and_the_parent_stays():
    parent("tree")
    before = files("tree")
    result = run(command("branch", "tree", "--step", "20", "--headless", "--threads", "1"))
    assert "“tree~2” is a branch of “tree” at step 20" in result.stdout, result.stdout
    assert files("tree") == before
    mine, theirs = steps("tree~2"), steps("tree")
    assert mine == theirs and sorted(mine) == list(range(1, 61))
    assert events("tree~2", "begin")[-1]["parent"] == "tree" and events("tree~2", "begin")[-1]["parentStep"] == 20
    assert [event["actor"] for event in occurrences("tree~2", "branch")] == ["commandLine"]
    checks = objects(command("verify", "tree~2"))
    assert all(check["isWhole"] and not check["notes"] for check in checks), checks


def test_a_branch_with_a_change_goes_another_way():
    parent("fork")
    run(command("branch", "fork", "--step", "best", "--set", "steps=70", "--set", "schedule.rate=0.01", "--name", "hotter", "--headless",
                "--threads", "1"))
    begun = events("hotter", "begin")[-1]
    at = begun["parentStep"]
    mine, theirs = steps("hotter"), steps("fork")
    assert all(mine[step] == theirs[step] for step in range(1, at + 1))
    assert at in (20, 40, 60) and sorted(mine) == list(range(1, 71)), (at, sorted(mine)[-1:])
    assert mine[at + 1]["rate"] not in (theirs[60]["rate"], theirs.get(at + 1, {}).get("rate")), mine[at + 1]


def test_resume_from_a_step_before_the_last_makes_a_branch_and_says_so():
    parent("again")
    result = run(command("resume", "again", "--step", "30", "--headless", "--threads", "1"))
    assert "“again~2” is a branch of “again” at step 30" in result.stdout, result.stdout
    assert steps("again~2") == steps("again")
    assert any("steps 31 to 60 of “again” stay" in event["text"] for event in occurrences("again~2", "warning"))
    # At the last checkpoint, with no later row, the run itself goes on.
    run(command("resume", "again", "--step", "60", "--steps", "70", "--headless", "--threads", "1"))
    assert state("again")["step"] == 70 and state("again~3") is None
    missing = run(command("resume", "again", "--step", "35", "--headless"), status=66)
    assert "has no checkpoint of step 35, only of 10, 20" in missing.stderr, missing.stderr
    wrong = run(command("resume", "again", "--step", "soon"), status=66)
    assert "has no checkpoint “soon”" in wrong.stderr, wrong.stderr
    wrong = run(command("resume", "again", "--step", "-3"), status=64)
    assert "“-3” is not a checkpoint" in wrong.stderr, wrong.stderr
    over = run(command("branch", "again", "--step", "60"), status=64)
    assert "the branch is at step 60 of 60" in over.stderr and state("again~3") is None, over.stderr


def test_branches_stand_below_their_parents_and_outlive_them():
    parent("root")
    run(command("branch", "root", "--step", "40", "--headless", "--threads", "1"))
    run(command("branch", "root~2", "--step", "50", "--headless", "--threads", "1"))
    lines = run(command("runs", "--filter", "name~root", "--columns", "name,parent")).stdout.splitlines()[1:]
    assert [re.sub(r"(?<=\S) {2,}", " ", line.rstrip()) for line in lines] == [
        "root", "  root~2 root at 40", "    root~3 root~2 at 50"], lines
    listed = objects(command("runs", "--filter", "parent=root"))
    assert [run["name"] for run in listed] == ["root~2"] and listed[0]["parentStep"] == 40, listed
    run(command("note", "root~2", "lower rate"))
    run(command("tag", "root~2", "try"))
    run(command("rm", "root", "--yes"))
    assert state("root") is None
    assert run(command("verify", "root~2")).stdout.splitlines()[-1].startswith("run “root~2” is undamaged")
    out = os.path.join(FOLDER, "exported")
    run(command("export", "root~2", out, "--step", "40", "--to", "safetensors"))
    assert "all losses are equal, to the bit" in run(command("diff", "root~2", "root~3")).stdout
    assert run(command("runs", "--filter", "tag=try", "--columns", "name")).stdout.split()[1:] == ["root~2"]
    run(command("recover", "root~2"))
    run(command("resume", "root~2", "--steps", "65", "--headless", "--threads", "1"))
    assert state("root~2")["step"] == 65


def test_the_runs_screen_indents_branches():
    parent("oak")
    run(command("branch", "oak", "--step", "40", "--headless", "--threads", "1"))
    with Terminal(command("browse"), 100, 30) as terminal:
        terminal.wait_for(lambda terminal: re.search(r"  oak~2 ", terminal.text))
        assert re.search(r" oak\b.*\n.*   oak~2 ", terminal.text), terminal.text
        terminal.leave()


def checkpoint_of(name, least):
    """Waits until a run has a checkpoint of a step or a later one; its first."""
    return wait_until(lambda: [step for step in checkpoints(name) if step >= least], f"{name} has a checkpoint")[0]


LIVE = ["--steps", "1000000", "--set", "evaluate.every=0", "--set", "sample.every=0", "--set", "save.every=20",
        "--set", "save.keep=0"] + [
    word for change in ("tokenizer.kind=bytes", "model.width=32", "model.inner=64", "model.context=16", "batch.rows=2")
    for word in ("--set", change)]


def test_a_run_is_told_to_go_back_and_goes_on_as_a_branch():
    process = subprocess.Popen(
        train("river", *LIVE, "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        first = checkpoint_of("river", 20)
        wrong = run(command("tell", "river", "back", "7"), status=1)
        assert "there is no checkpoint of step 7: there are 20" in wrong.stderr, wrong.stderr
        answer = json.loads(run(command("tell", "river", "back", str(first), "--json")).stdout)
        assert answer["status"] == "done" and answer["text"].endswith(f"back to step {first}, goes on as “river~2”"), answer
        # Who knows the name can tell the branch something at once: the command waits until the branch has begun.
        run(command("tell", "river~2", "note", "at once"))
        assert state("river")["state"] == "stopped"
        wait_until(lambda: (state("river~2") or {}).get("step", 0) > first + 5, "the branch goes on")
        run(command("tell", "river~2", "stop"))
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait() == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    begins = [line for line in lines if line["event"] == "begin"]
    assert [line["name"] for line in begins] == ["river", "river~2"] and begins[1]["parentStep"] == first
    assert [line["reason"] for line in lines if line["event"] == "end"] == ["stopped", "stopped"]
    mine, theirs = steps("river~2"), steps("river")
    both = [step for step in mine if step in theirs]
    assert max(both) > first and all(mine[step] == theirs[step] for step in both)
    for name in ("river", "river~2"):
        assert "every loss and norm to the bit" in run(command("replay", name)).stdout


def test_the_name_of_a_checkpoint_goes_with_it_into_every_branch():
    def first(name):
        return objects(command("inspect", name, "checkpoints"))[0]

    with training("named", *LIVE) as process:
        tell("named", "pause")
        at = json.loads(tell("named", "save", "as", "before-decay", options=["--json"]).stdout)["step"]
        tell("named", "step", "3")
        for branch, parent in (("named~2", "named"), ("named~3", "named~2")):
            assert f"back to step {at}, goes on as “{branch}”" in tell(parent, "back", "before-decay").stdout
            tell(branch, "pause")
            assert (first(branch)["step"], first(branch)["name"], first(branch)["isKept"]) == (at, "before-decay", True), first(branch)
        stop("named~3", process)
    longer = ("--steps", str(at + 5), "--headless", "--threads", "1")
    run(command("branch", "named", "--step", "before-decay", "--name", "spread", *longer))
    run(command("resume", "spread", "--step", "before-decay", *longer))
    for name in ("spread", "spread~2"):
        assert (first(name)["step"], first(name)["name"]) == (at, "before-decay"), first(name)


def test_r_shows_the_checkpoints_and_the_screen_goes_on_with_the_branch():
    with Terminal(train("lake", *LIVE), 120, 36) as terminal:
        terminal.wait_for(lambda terminal: (terminal.step or 0) >= 3)
        wait_until(lambda: checkpoints("lake"), "a checkpoint")
        terminal.wait_for(lambda terminal: "saved" in terminal.text)
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.type("r")
        terminal.wait_for("goes on from there as a branch")
        terminal.wait_for("held-out")
        # The newest that the screen has heard of; numbers have spaces.
        newest = int(re.search(r"▸\s+((?:\d+ )*\d+)  ", terminal.text)[1].replace(" ", ""))
        assert newest in checkpoints("lake"), terminal.text
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "goes on from there as a branch" not in terminal.text)
        terminal.type("r")
        terminal.wait_for("goes on from there as a branch")
        terminal.type("\r")
        terminal.wait_for(re.compile(r"lake~2"))
        terminal.wait_for(lambda terminal: (state("lake~2") or {}).get("step", 0) > newest)
        terminal.wait_for("↳ branch")
        terminal.type("q")
        terminal.wait_for("stop after saving")
        terminal.type("s")
        assert terminal.finish() == 0, terminal.after
    for name in ("lake", "lake~2"):
        assert state(name)["state"] == "stopped", state(name)
    assert [event["actor"] for event in occurrences("lake", "branch")] == ["key"]


def test_a_replay_says_which_number_differs_and_refuses_elsewhere():
    folder = parent("replayed")
    assert "the same: steps 1 to 60" in run(command("replay", "replayed")).stdout
    assert "the same: steps 21 to 40" in run(command("replay", "replayed", "--from", "20", "--to", "40")).stdout
    verdict = json.loads(run(command("replay", "replayed", "--to", "5", "--json")).stdout.splitlines()[-1])
    assert verdict["same"] and verdict["steps"] == 5 and verdict["to"] == 5, verdict
    before = files("replayed")
    run(command("branch", "replayed", "--step", "20", "--set", "schedule.rate=0.0005", "--headless", "--threads", "1"))
    assert "the same" in run(command("replay", "replayed~2")).stdout
    assert files("replayed") == before, "a replay writes nothing"
    # Another history below the same recipe: the text is another one.
    other = os.path.join(FOLDER, "other.txt")
    with open(TEXT) as text, open(other, "w") as file:
        file.write(text.read().replace("lord", "king"))
    swapped = other + ".swapped"
    os.rename(TEXT, swapped)
    os.rename(other, TEXT)
    try:
        refused = run(command("replay", "replayed"), status=69)
        assert "the text is not the one that the run had" in refused.stderr and "--anyway" in refused.stderr, refused
        anyway = run(command("replay", "replayed", "--anyway"), status=1)
        assert re.search(r"different: step \d+, \w+/\S+ is stored as [\d.]+, and came out as [\d.]+", anyway.stdout), anyway
        assert "the total loss differs by at most" in anyway.stdout, anyway.stdout
    finally:
        os.rename(TEXT, other)
        os.rename(swapped, TEXT)
    missing = run(command("replay", "replayed", "--from", "7"), status=66)
    assert "has no checkpoint of step 7" in missing.stderr
    assert "is not stored" in run(command("replay", "replayed", "--to", "61"), status=64).stderr


SMALL = [
    word for change in ("tokenizer.kind=bytes", "model.width=32", "model.inner=64", "model.context=16", "batch.rows=2", "save.every=20",
                        "save.keep=2", "evaluate.every=0", "sample.every=0", "schedule.kind=constant", "schedule.rate=0.001",
                        "schedule.warmup=0")
    for word in ("--set", change)]


def spoilt(name, *options, after=1, more=None):
    """A run whose rate was made one that no weights survive, when it had some checkpoints, so many steps after one; its status and
    its lines. With `more`, the run has so many steps after that checkpoint."""
    process = subprocess.Popen(
        train(name, "--steps", "1000000", *SMALL, *options, "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: os.path.exists(os.path.join(RUNS, name, "control.sock")), f"{name} can be told")
    # The checkpoint before the change is stored.
    run(command("tell", name, "pause"))
    last = (json.loads(run(command("tell", name, "note", "here", "--json")).stdout)["step"] // 20 + 4) * 20
    if more:
        run(command("tell", name, "steps", str(last + more)))
    run(command("tell", name, "until", str(last + after)))
    wait_until(lambda: last in checkpoints(name), f"{name} has the checkpoint of step {last}")
    run(command("tell", name, "rate", "1", "--yes"))
    run(command("tell", name, "go"))
    lines = [json.loads(line) for line in process.stdout]
    return process.wait(), lines


def test_spoilt_weights_end_a_run_and_the_advice_works():
    status, lines = spoilt("wild")
    assert status == 1 and state("wild")["state"] == "diverged", status
    (said,) = [line["text"] for line in lines if line["event"] == "occurrence" and line["kind"] == "diverged"]
    advice = re.search(r"“foretop (resume wild --step (\d+) --set schedule.rate=5\.0e-4)”", said)
    assert "the weights are spoilt" in said and advice, said
    sound = int(advice[2])
    # Whatever was saved since took the place of no sound checkpoint.
    assert sound in checkpoints("wild"), (sound, checkpoints("wild"))
    before = checkpoints("wild")
    told = {one["step"]: one for one in objects(command("inspect", "wild", "checkpoints"))}
    assert told[max(before)]["isSpoilt"] and not told[sound]["isSpoilt"], told
    assert not any(one["isSpoilt"] and one["isBest"] for one in told.values()), told
    assert "  spoilt  " in run(command("inspect", "wild", "checkpoints")).stdout
    ended = run([PROGRAM, *shlex.split(advice[1]), "--runs", RUNS, "--steps", str(sound + 30), "--headless", "--threads", "1"])
    assert f"“wild~2” is a branch of “wild” at step {sound}" in ended.stdout, ended.stdout
    assert state("wild~2")["state"] == "finished" and checkpoints("wild") == before
    # Who goes on from spoilt weights all the same is told of the sound ones.
    assert max(before) > sound
    again = run(command("resume", "wild", "--headless"), status=1)
    assert f"foretop resume wild --step {sound} " in again.stdout + again.stderr, again
    assert "go on  " not in again.stdout, "that would fail again"
    assert "every loss and norm to the bit" in run(command("replay", "wild")).stdout
    run(command("prune", "wild", "--keep", "1", "--yes"))
    assert checkpoints("wild") == [sound], checkpoints("wild")


def test_advice_that_fails_is_followed_by_one_that_goes_further_back():
    # A checkpoint with two steps at the wild rate may pass for sound.
    status, lines = spoilt("hasty", after=18)
    said = next(line["text"] for line in lines if line["event"] == "occurrence" and line["kind"] == "diverged")
    steps = []
    for _ in range(4):
        advice = re.search(r"“foretop (resume hasty\S* --step (\d+) --set schedule.rate=\S+)”", said)
        assert status == 1 and advice, (status, said)
        steps.append(int(advice[2]))
        ended = run([PROGRAM, *shlex.split(advice[1]), "--runs", RUNS, "--steps", str(steps[-1] + 60), "--headless", "--threads", "1"], None)
        status, said = ended.returncode, ended.stdout + ended.stderr
        if status == 0:
            break
    assert status == 0 and steps == sorted(steps, reverse=True), (steps, said)


def test_a_run_whose_weights_grow_while_it_learns_is_not_called_spoilt():
    done = run(train("grown", "--steps", "3000", *SMALL, "--set", "save.every=1500", "--set", "schedule.rate=0.003", "--headless"))
    assert checkpoints("grown") == [1500, 3000]
    assert "spoilt" not in done.stdout + done.stderr, done


def test_the_guard_goes_back_by_itself_as_often_as_it_may():
    status, lines = spoilt("tame", "--set", "guard.does=back", "--set", "guard.most=1", more=120)
    end = next(line["new"] for line in lines if line["event"] == "occurrence" and line.get("key") == "steps")
    begins = [line for line in lines if line["event"] == "begin"]
    assert [line["name"] for line in begins] == ["tame", "tame~2"] and status == 0, (status, begins)
    at = begins[1]["parentStep"]
    rates = [line for line in lines if line["event"] == "occurrence" and line["kind"] == "rate" and line["actor"] == "guard"]
    assert [(line["step"], line["new"]) for line in rates] == [(at, 0.0005)], rates
    branches = [line for line in lines if line["event"] == "occurrence" and line["kind"] == "branch"]
    assert [line["actor"] for line in branches] == ["guard", "guard"], branches
    assert state("tame")["state"] == "diverged" and state("tame~2")["step"] == end
    for name in ("tame", "tame~2"):
        assert "every loss and norm to the bit" in run(command("replay", name)).stdout


def test_a_wrong_word_for_the_guard_is_refused():
    wrong = run(train("guarded", "--set", "guard.on=nan", "--headless"), status=64)
    assert "guard.on has “nan”, but the guard knows nonfinite and spike" in wrong.stderr, wrong.stderr
