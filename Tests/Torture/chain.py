"""One run, killed and resumed again and again: how that is done, and the row of one that in the end has what a run has that nothing
happened to, to the bit."""

import subprocess

from common import *


def killed(draw, count, steps, pauses, goes=0, session=lambda kills: [], look=lambda kills: [], **changes):
    """Kills the run “chain” so often, and lets it come to its end; returns the number of kills and sentences on what is wrong.

    pauses: seconds of computing between kills, of which one is drawn; goes: every other session is not killed before it has saved
    a checkpoint so many steps ahead; session: more words for the command of a session; look: called after every tenth kill and the
    last, returns sentences; changes: of the recipe."""
    problems = []
    kills, begun = 0, False

    def command():
        return (resume(FOLDER, "chain") if begun else train(FOLDER, "chain", steps, **changes)) + session(kills) + ["--headless"]

    def newest():
        return max(checkpoint_steps(FOLDER, "chain"), default=0)

    while kills < count:
        process = subprocess.Popen(
            command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if goes and kills % 2 == 1:
            goal = newest() + goes
            wait_until(lambda: newest() >= goal or process.poll() is not None, f"a checkpoint of step {goal} is saved")
        # Sessions that hardly begin, and some that come far: in all not to the end.
        let_compute(process, draw.choice(pauses) * draw.uniform(0.5, 1.5))
        if process.poll() is not None:
            errors = process.communicate()[1]
            if process.returncode != 0 or newest() < steps:
                problems.append(f"session {kills} ended with {process.returncode}: {errors.decode()}")
            break
        process.kill()
        process.communicate()
        kills += 1
        if not os.path.exists(f"{FOLDER}/chain/run.h5"):
            run([PROGRAM, "rm", "chain", "--runs", FOLDER, "--yes"], statuses=(0, 66))
            continue
        begun = True
        if kills % 10 == 0 or kills == count:
            problems += look(kills)

    if newest() < steps:
        run(command())
    run([PROGRAM, "verify", "chain", "--runs", FOLDER])
    return kills, problems


def unlike(truth, twin, steps):
    """Sentences on how the run “chain” differs from another one that has come to the same step."""
    problems = truth.compare(stored(FOLDER, "chain"), steps)
    if checkpoint_numbers(FOLDER, "chain", steps) != checkpoint_numbers(FOLDER, twin, steps):
        problems.append(f"the last weights are not those of {twin}")
    return problems


def chain(what, name, count, steps, pauses, goes=0, **changes):
    """Kills one run `count` times, compares it with one that nothing happened to, and returns the row of the table."""
    run(train(FOLDER, "twin", steps, **changes) + ["--headless"])
    truth = Truth(FOLDER, "twin")
    rows = 0

    def look(kills):
        nonlocal rows
        events = stored(FOLDER, "chain")
        held = sum(event["event"] == "step" for event in events)
        problems = truth.compare(events, rows)
        # What else comes at a step comes behind its row.
        rows = held - 1
        say(f"{kills} kills, {rows} rows, checkpoints {checkpoint_steps(FOLDER, 'chain')}")
        return problems

    kills, problems = killed(draws(name), count, steps, pauses, goes, look=look, **changes)
    problems += unlike(truth, "twin", steps)
    for problem in problems[:20]:
        say(problem)
    return what, kills, len(problems)
