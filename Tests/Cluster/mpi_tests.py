"""Training by several ranks, with a real mpirun."""

import json

from ranks import *
from support import TEXT

ROWS = ["--set", "batch.rows=16", "--set", "evaluate.every=5", "--set", "save.every=5"]


def held_out(name):
    return [(event["step"], event["loss"]) for event in events(name, "heldout")]


def test_two_four_and_eight_ranks_lose_what_one_process_loses():
    run(train("one", *ROWS, "--steps", "10", "--headless"))
    for count in (2, 4, 8):
        run(mpirun(count, train(f"ranks{count}", *ROWS, "--steps", "10", "--headless")))
        assert len(steps(f"ranks{count}")) == 10
        difference = largest_difference(steps(f"ranks{count}"), steps("one"))
        assert difference <= 1e-6, f"{count} ranks: {difference}"
        assert largest_difference(held_out(f"ranks{count}"), held_out("one")) <= 1e-5


def test_the_same_ranks_give_the_same_bits_and_a_replay_says_so():
    for options in ([], ["--set", "ranks.sharding=optimizer"], ["--set", "ranks.transport=bf16"]):
        name = "again" + "".join(options[1:]).split("=")[-1]
        for turn in ("a", "b"):
            run(mpirun(4, train(name + turn, *ROWS, *options, "--steps", "10", "--headless")))
        assert steps(name + "a") == steps(name + "b") and len(steps(name + "a")) == 10
        assert "the same" in run(mpirun(4, command("replay", name + "a"))).stdout
    assert steps("againa") == steps("againoptimizera"), "divided moments change nothing"


def test_memory_layers_learn_from_the_picks_of_all_ranks():
    memory = [word for key, value in (("keys", 24), ("keyWidth", 8), ("top", 4), ("valueWidth", 12), ("preWidth", 5))
              for word in ("--set", f"model.memory.{key}={value}")]
    run(train("tables", *ROWS, *memory, "--steps", "10", "--headless"))
    for turn in ("a", "b"):
        run(mpirun(2, train("tables" + turn, *ROWS, *memory, "--steps", "10", "--headless")))
    assert steps("tablesa") == steps("tablesb") and len(steps("tablesa")) == 10
    difference = largest_difference(steps("tablesa"), steps("tables"))
    assert difference <= 1e-4, difference
    # Rank 0 has counted the picks of both.
    one, two = ([event["memory"]["used"] for event in events(name, "heldout")] for name in ("tables", "tablesa"))
    assert largest_difference(one, two) <= 1e-2, f"{one}, and {two}"
    assert "the same" in run(mpirun(2, command("replay", "tablesa"))).stdout
    refused = run(mpirun(2, train("divided", *ROWS, *memory, "--set", "ranks.sharding=optimizer", "--headless")), status=64)
    assert refused.stderr.count("model.memory.keys 24") == 1, refused.stderr


def test_a_replay_by_another_number_of_ranks_is_refused_with_the_reason():
    run(mpirun(2, train("two", *ROWS, "--steps", "5", "--headless")))
    for arguments in (command("replay", "two"), mpirun(4, command("replay", "two"))):
        words = run(arguments, status=69).stderr
        assert "were computed by 2 ranks" in words and "mpirun -n 2" in words, words
    summary = run(command("inspect", "two", "summary")).stdout
    assert "2 ranks of 1 thread" in summary, summary


def test_commands_take_effect_on_all_ranks_and_a_replay_repeats_them():
    ranks = Ranks(4, train("told", *ROWS, "--set", "batch.accumulation=2", "--steps", "100000", "--json"))
    ranks.reach(3)
    for words in (["rate", "x0.5"], ["pause"], ["clip", "0.25"], ["evaluate"], ["step", "2"], ["go"], ["save"]):
        run(command("tell", "told", *words))
    after = steps("told")[-1][0]
    ranks.reach(after + 3)
    run(command("tell", "told", "stop"))
    status, _, error = ranks.end()
    assert status == 0, error
    rates = {rate for _, _, _, rate, _ in steps("told")}
    assert len(rates) > 1
    assert "the same" in run(mpirun(4, command("replay", "told"))).stdout


def test_a_signal_to_mpirun_saves_and_stops_all_ranks():
    ranks = Ranks(4, train("signalled", *ROWS, "--set", "save.every=0", "--steps", "100000", "--json")).reach(4)
    # mpirun passes USR2 on to every rank; the first one obeys for all.
    ranks.process.send_signal(signal.SIGUSR2)
    status, _, error = ranks.end()
    assert status == 140, f"{status} {error}"
    assert checkpoints("signalled") == [steps("signalled")[-1][0]]


def test_a_rank_that_dies_ends_the_others_and_the_run_goes_on_with_another_number():
    for victim in (3, 1, 0):
        name = f"victim{victim}"
        ranks = Ranks(4, train(name, *ROWS, "--set", "ranks.sharding=optimizer", "--steps", "100000", "--json")).reach(12)
        processes = ranks.processes()
        os.kill(processes[victim], signal.SIGKILL)
        status, output, error = ranks.end()
        assert status != 0
        wait_until(lambda: not any(os.path.exists(f"/proc/{number}") for number in processes), "all ranks are gone")
        if victim:
            # The first to notice says it: another rank, or mpirun.
            words = error + output
            assert f"rank {victim} of 4" in words and "has ended" in words or (
                f"process rank {victim} " in words and "exited on signal 9" in words), words
        saved = checkpoints(name)
        assert saved and saved[-1] >= 5, saved
        run(mpirun(2, [*command("resume", name), "--steps", str(saved[-1] + 5), "--set", "ranks.sharding=none", "--headless"]))
        assert steps(name)[-1][0] == saved[-1] + 5
        run([*command("resume", name), "--steps", str(saved[-1] + 8), "--threads", "1", "--headless"])
        words = " ".join(event.get("text", "") for event in events(name, "occurrence"))
        assert "ranks 4 → 2" in words and "ranks 2 → 1" in words, words


def test_going_back_begins_a_branch_on_all_ranks():
    ranks = Ranks(2, train("parent", *ROWS, "--steps", "100000", "--json")).reach(8)
    run(command("tell", "parent", "back", "5"))
    wait_until(lambda: os.path.exists(os.path.join(RUNS, "parent~2", "run.h5")), "the branch is there")
    wait_until(lambda: len(steps("parent~2")) > 5 and steps("parent~2")[-1][0] >= 8, "the branch goes on")
    run(command("tell", "parent~2", "stop"))
    status, _, error = ranks.end()
    assert status == 0, error
    a, b = dict((step[0], step) for step in steps("parent")), dict((step[0], step) for step in steps("parent~2"))
    assert a[8] == b[8], "the branch computes the same steps again"


def test_rows_that_ranks_do_not_divide_are_refused_once():
    result = run(mpirun(3, train("thirds", *ROWS, "--headless")), status=64)
    assert result.stderr.count("cannot be divided among 3 ranks") == 1, result.stderr
    assert "1, 2, 4, 8, 16" in result.stderr and "15 or 18" in result.stderr
    assert not os.path.exists(os.path.join(RUNS, "thirds"))


def test_divided_moments_save_the_memory_that_they_promise():
    shape = ["--set", "model.width=384", "--set", "model.blocks=4", "--set", "batch.rows=4", "--set", "save.every=0",
             "--set", "evaluate.every=0", "--steps", "100000", "--json"]
    sizes = {}
    for sharding in ("none", "optimizer"):
        ranks = Ranks(4, train(f"memory-{sharding}", *shape, "--set", f"ranks.sharding={sharding}"))
        ranks.reach(2)
        sizes[sharding] = [memory(process) for process in ranks.processes()]
        parameters = next(json.loads(line)["parameters"] for line in ranks.output if '"event":"begin"' in line)
        run(command("tell", f"memory-{sharding}", "stop"))
        ranks.end()
    # Two moments of 4 bytes, of which three quarters are elsewhere.
    promise = 8 * parameters * 3 / 4
    for rank, (whole, part) in enumerate(zip(sizes["none"], sizes["optimizer"])):
        assert whole - part >= 0.9 * promise, f"rank {rank}: {whole} and {part} bytes, {promise} were promised"


def test_two_texts_are_told_apart():
    # A rank that finds another text at the same path: here, its first look comes after the file was exchanged.
    other = TEXT + ".other"
    with open(TEXT) as source, open(other, "w") as copy:
        copy.write(source.read().upper())
    program = os.path.join(RUNS, "..", "second-text")
    with open(program, "w") as script:
        script.write(
            '#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK" = 1 ] && exec unshare -m sh -c \'mount --bind "$0" "$1" && shift && exec "$@"\' '
            f'"{other}" "{TEXT}" "$@"\nexec "$@"\n')
    os.chmod(program, 0o755)
    probe = run(["unshare", "-m", "mount", "--bind", other, TEXT], status=None)
    if probe.returncode != 0:
        from support import Skipped
        raise Skipped("this machine does not let a process have mounts of its own")
    result = run(mpirun(2, [program, *train("texts", *ROWS, "--steps", "5", "--headless")]), status=65)
    assert "rank 1 of 2: the text on" in result.stderr, result.stderr
    assert not os.path.exists(os.path.join(RUNS, "texts"))
