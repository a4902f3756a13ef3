"""What a session begins with stays with its first checkpoint: values of a command line, and the rate that the guard gave a branch."""

import re

from support import *

SMALL = [word for change in ("tokenizer.kind=bytes", "model.width=32", "model.inner=64", "model.context=16", "batch.rows=2",
                             "evaluate.every=0", "sample.every=0", "save.keep=0")
         for word in ("--set", change)]


def numbers(name):
    """Losses, norms and rates of every step."""
    return {event["step"]: (event["loss"], event["gradientNorm"], event["rate"]) for event in events(name, "step")}


def test_going_back_to_where_a_branch_began_keeps_what_it_began_with():
    run(train("ground", *SMALL, "--steps", "60", "--set", "save.every=20", "--headless"))
    changes = ["--set", "optimizer.clip=0.25", "--set", "schedule.rate=1e-3", "--set", "objective.top=0.5", "--steps", "1000000"]
    said = run(command("branch", "ground", "--step", "40", "--name", "begun", *changes, "--threads", "1", "--detach")).stdout
    process = int(re.search(r"process (\d+)", said)[1])
    try:
        wait_until(lambda: (state("begun") or {}).get("step", 0) >= 60, "the branch trains")
        run(command("tell", "begun", "back", "40"))
        wait_until(lambda: (state("begun~2") or {}).get("step", 0) >= 60, "it goes on from where it began")
        # What is saved again at that step is what it is: half of the weight is not halved once more.
        for line in ("pause", "back 40"):
            run(command("tell", "begun~2", line))
        wait_until(lambda: state("begun~3") is not None, "a branch of the branch")
        for line in ("pause", "back 40"):
            run(command("tell", "begun~3", line))
        wait_until(lambda: (state("begun~4") or {}).get("step", 0) >= 60, "and one of that")
        run(command("tell", "begun~4", "stop"))
        wait_until(lambda: state("begun~4")["state"] == "stopped", "it has stopped")
    finally:
        end_left([process])
    for name in ("begun~2", "begun~3", "begun~4"):
        mine, theirs = numbers(name), numbers("begun")
        both = set(mine) & set(theirs)
        assert len(both) >= 40 and all(mine[step] == theirs[step] for step in both), [
            (step, mine[step], theirs[step]) for step in sorted(both) if mine[step] != theirs[step]][:2]
        recipe = objects(command("inspect", name, "recipe", "--json"))[0]
        assert recipe["optimizer"]["clip"] == 0.25 and recipe["steps"] == 1000000, recipe
    # What the branch began with is in its log, from where a replay takes it.
    replayed = run(command("replay", "begun~4", "--to", "60"))
    assert "to the bit" in replayed.stdout, replayed.stdout


def test_the_guard_halves_the_rate_that_a_session_began_with_and_advice_goes_below_the_rate_that_failed():
    wild = ["--set", "guard.on=nonfinite,spike", "--set", "guard.does=back", "--set", "guard.most=1", "--set", "optimizer.clip=0"]
    run(train("calm", *SMALL, "--steps", "120", "--set", "save.every=60", "--headless"))
    rate = 1.0
    failed = run(command("branch", "calm", "--step", "60", "--name", "wild", *wild, "--set", f"schedule.rate={rate}",
                         "--set", "schedule.kind=constant", "--set", "schedule.warmup=0", "--threads", "1", "--headless"), status=1)
    said = failed.stdout + failed.stderr
    # The guard went back once, to the checkpoint that the branch began with, and halved the branch's own rate.
    given = [event for event in occurrences("wild~2", "rate") if event["actor"] == "guard"]
    assert given and abs(given[0]["new"] / given[0]["old"] - 0.5) < 1e-6 and abs(given[0]["old"] / rate - 1) < 1e-6, given
    advice = re.search(r"foretop resume (\S+) --step (\d+) --set schedule.rate=([0-9.e-]+)", said)
    assert advice, said
    assert float(advice[3]) <= rate / 4 * 1.01, (advice[0], rate)
