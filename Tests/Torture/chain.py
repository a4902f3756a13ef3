"""One run, killed and resumed again and again; in the end it has what a run has that nothing happened to, to the bit."""

import subprocess

from common import *


def chain(what, name, count, steps, pauses, **changes):
    """Kills one run `count` times, and prints the row of the table.

    pauses: seconds of computing between kills, of which one is drawn; changes: of the recipe."""
    draw = draws(name)
    problems = []
    run(train(FOLDER, "twin", steps, **changes) + ["--headless"])
    truth = Truth(FOLDER, "twin")

    kills, rows, begun = 0, 0, False
    while kills < count:
        command = resume(FOLDER, "chain") if begun else train(FOLDER, "chain", steps, **changes)
        process = subprocess.Popen(
            command + ["--headless"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # Sessions that hardly begin, and some that come far: in all not to the end.
        let_compute(process, draw.choice(pauses) * draw.uniform(0.5, 1.5))
        if process.poll() is not None:
            errors = process.communicate()[1]
            if process.returncode != 0 or max(checkpoint_steps(FOLDER, "chain"), default=0) < steps:
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
            events = stored(FOLDER, "chain")
            held = sum(event["event"] == "step" for event in events)
            problems += truth.compare(events, rows)
            # What else comes at a step comes behind its row.
            rows = held - 1
            say(f"{kills} kills, {rows} rows, checkpoints {checkpoint_steps(FOLDER, 'chain')}")

    if max(checkpoint_steps(FOLDER, "chain"), default=0) < steps:
        run((resume(FOLDER, "chain") if begun else train(FOLDER, "chain", steps, **changes)) + ["--headless"])
    problems += truth.compare(stored(FOLDER, "chain"), steps)
    if checkpoint_numbers(FOLDER, "chain", steps) != checkpoint_numbers(FOLDER, "twin", steps):
        problems.append("the last weights are not those of the run that nothing happened to")
    run([PROGRAM, "verify", "chain", "--runs", FOLDER])
    for problem in problems[:20]:
        say(problem)
    finish((what, kills, len(problems)))
