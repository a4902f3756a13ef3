"""What one does with stored runs: commands that check, compare, remove and export them."""

import json
import os
import re
import shutil
import signal
import struct
import sys
import tempfile

from support import *


def stored(name, *options, steps=40):
    """A finished run with a few checkpoints; made once."""
    if state(name) is None:
        run(train(name, "--steps", str(steps), "--set", "save.every=10", "--set", "evaluate.every=20", "--headless", *options))
    return os.path.join(RUNS, name)


def lines(verb, *arguments, status=0):
    return objects(command(verb, *arguments), status=status)


def damage(path, place=None):
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        place = file.tell() // 2 if place is None else place
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def test_a_folder_whose_name_is_not_utf8_is_said():
    folder = os.path.join(FOLDER, "named")
    run([PROGRAM, "train", "tiny", "--name", "good", "--runs", folder, "--data", TEXT, "--steps", "2", "--headless"])
    shutil.copytree(os.fsencode(os.path.join(folder, "good")), os.fsencode(folder) + b"/bad\xffname")
    listed = run([PROGRAM, "runs", "--runs", folder])
    assert "good" in listed.stdout and "has a name that is not UTF-8" in listed.stderr and "bad" in listed.stderr, listed


def test_a_run_is_verified_and_damage_is_a_status():
    folder = stored("verified")
    checks = lines("verify", "verified")
    assert all(check["isWhole"] for check in checks) and len(checks) == 14, checks
    assert run(command("verify", "verified")).stdout.splitlines()[-1].endswith("is undamaged: 14 parts checked")
    damage(os.path.join(folder, "checkpoints", "000000040.h5"))
    bad = [check for check in lines("verify", "verified", status=65) if not check["isWhole"]]
    assert [check["check"] for check in bad] == ["checkpoints/000000040.h5"], bad
    assert "BAD  checkpoints/000000040.h5" in run(command("verify", "verified"), status=65).stdout
    assert "did you mean verified?" in run(command("verify", "verifeid"), status=66).stderr


def test_a_killed_run_is_recovered_by_hand():
    process = going_on("by-hand", step=20)
    assert "process" in run(command("recover", "by-hand"), status=69).stderr
    checks = lines("verify", "by-hand")
    assert checks and all(check["isWhole"] for check in checks), "a live run is whole"
    copy = os.path.join(FOLDER, "live.h5")
    assert "live.h5: run “by-hand” with " in run(command("snapshot", "by-hand", copy)).stdout
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all(check["isWhole"] for check in lines("verify", "by-hand"))
    assert "recovered up to step" in run(command("recover", "by-hand")).stdout
    assert not os.path.exists(os.path.join(RUNS, "by-hand", "run.journal"))
    assert "nothing to recover" in run(command("recover", "by-hand")).stdout
    assert all(check["isWhole"] and not check["notes"] for check in lines("verify", "by-hand"))
    assert "exists already" in run(command("snapshot", "by-hand", copy), status=73).stderr
    run(command("snapshot", "by-hand", copy, "--force"))


def test_tensors_are_listed_and_one_is_shown():
    stored("tensors")
    tensors = lines("tensors", "tensors", "--step", "20")
    assert len(tensors) == 22 and all(tensor["nonFinite"] == 0 for tensor in tensors)
    embedding = next(tensor for tensor in tensors if tensor["tensor"] == "model/embed_tokens/weight")
    assert embedding["minimum"] < embedding["mean"] < embedding["maximum"] and embedding["norm"] > 0
    (one,) = lines("tensors", "tensors", "--tensor", "model.norm.weight")
    assert one["shape"] == [64] and sum(one["counts"]) == 64 and len(one["edges"]) == len(one["counts"]) + 1
    table = run(command("tensors", "tensors")).stdout
    assert table.startswith("TENSOR ") and "lm_head/weight" in table and "tensors at step 40: " in table
    assert "█" in run(command("tensors", "tensors", "--tensor", "lm_head")).stdout
    assert "did you mean lm_head/weight?" in run(command("tensors", "tensors", "--tensor", "lm_haed/weight"), status=64).stderr
    assert "has no checkpoint of step 7" in run(command("tensors", "tensors", "--step", "7"), status=66).stderr


def test_two_runs_are_compared():
    stored("left")
    stored("right", "--set", "schedule.rate=1e-3")
    stored("twin")
    text = run(command("diff", "left", "right")).stdout
    assert "schedule.rate  3.0e-3  1.0e-3" in text and "40 steps were taken by both" in text and "weights at step 40:" in text
    same = run(command("diff", "left", "twin")).stdout
    assert "the recipes are the same" in same and "all losses are equal, to the bit" in same
    differences = lines("diff", "left", "right")
    assert differences[0] == {"key": "schedule.rate", "a": 0.003, "b": 0.001}
    steps = [line for line in differences if "step" in line]
    assert [line["step"] for line in steps] == list(range(1, 41)) and steps[-1]["a"]["loss"] != steps[-1]["b"]["loss"]
    tensors = [line for line in differences if "tensor" in line]
    assert len(tensors) == 22 and all(tensor["norm"] > 0 for tensor in tensors)
    same = [line["norm"] for line in lines("diff", "left", "twin") if "tensor" in line]
    assert same == [0] * 22, same


def test_runs_and_checkpoints_are_removed_after_a_question():
    folder = stored("pruned", "--set", "save.keep=0")
    assert checkpoints("pruned") == [10, 20, 30, 40]
    assert "add --yes" in run(command("prune", "pruned"), status=64).stderr
    run(command("prune", "pruned", "--keep", "2", "--yes"))
    assert set(checkpoints("pruned")) >= {30, 40} and 10 not in checkpoints("pruned")
    terminal = Terminal(command("rm", "pruned"))
    terminal.wait_for("Remove run “pruned” for good")
    terminal.type("n\n")
    assert terminal.finish() == 0 and "run “pruned” stays" in terminal.text
    assert os.path.exists(folder)
    assert "add --yes" in run(command("rm", "pruned"), status=64).stderr
    assert "run “pruned” is removed" in run(command("rm", "pruned", "--yes")).stdout
    assert not os.path.exists(folder) and state("pruned") is None
    process = going_on("going", step=3)
    assert "is being written by process" in run(command("rm", "going", "--yes"), status=69).stderr
    assert "is being written by process" in run(command("prune", "going", "--yes"), status=69).stderr
    process.terminate()
    process.communicate()
    assert state("going")["state"] == "stopped"


def test_runs_are_filtered_sorted_and_chosen():
    stored("listed-one", "--set", "schedule.rate=2e-3", steps=10)
    stored("listed-two", "--set", "schedule.rate=1e-3", steps=20)

    def names(*options):
        rows = run(command("runs", "--filter", "name~listed-", "--columns", "name,schedule.rate", *options)).stdout
        return [row.split() for row in rows.splitlines()]

    assert names("--sort", "step")[1:] == [["listed-one", "2.0e-3"], ["listed-two", "1.0e-3"]]
    assert names("--sort", "step", "--reverse")[1:] == [["listed-two", "1.0e-3"], ["listed-one", "2.0e-3"]]
    assert names("--filter", "schedule.rate<0.0015") == [["NAME", "SCHEDULE.RATE"], ["listed-two", "1.0e-3"]]
    assert names("--filter", "step>=10", "--filter", "state=finished", "--filter", "name!=listed-two")[1:] == [["listed-one", "2.0e-3"]]
    assert "matches the filter" in run(command("runs", "--filter", "step>1000", "--filter", "name~listed-")).stdout
    for options, word in [(["--sort", "los"], "did you mean loss?"), (["--filter", "loss"], "such as loss<3"),
                          (["--filter", "loss<x"], "is not a number"), (["--filter", "best=abc"], "is not a number"),
                          (["--filter", "tokens!=6_400"], "is not a number"), (["--columns", "nmae"], "did you mean name?"),
                          (["--filter", "state=finishd"], "did you mean finished?"), (["--filter", "state!=x"], "the states are")]:
        assert word in run(command("runs", *options), status=64).stderr
    chosen = lines("runs", "--filter", "name~listed-", "--sort", "step", "--columns", "name,step,schedule.rate,ndcg8")
    assert chosen[0] == {"name": "listed-one", "step": 10, "schedule.rate": 0.002, "ndcg8": chosen[0]["ndcg8"]}, chosen
    assert len(lines("runs", "--filter", "name~listed-")[0]) > 8
    # Many losses are cut in a pipe, and left out where the terminal is narrow.
    stored("listed-wide", "--set", "objective.mtp.heads=8", "--set", "objective.mtp.kind=sequential", steps=10)
    for row in run(command("runs", "--filter", "name~listed-", "--columns", "loss,heldout")).stdout.splitlines():
        assert len(row) <= 82, row
    with Terminal(command("runs", "--filter", "name~listed-"), columns=40) as terminal:
        assert terminal.finish() == 0
    rows = terminal.raw.decode().split("\r\n")
    assert "HELD-OUT" not in rows[0] and all(len(row) <= 40 for row in rows), rows


def test_every_part_of_a_run_is_shown_and_told():
    stored("parts")
    [summary] = lines("inspect", "parts", "summary")
    assert (summary["name"], summary["state"], summary["step"], summary["checkpoints"]) == ("parts", "finished", 40, 3), summary
    assert summary["vocabulary"] > 20 and summary["bytes"] > 0, summary
    metrics = lines("inspect", "parts", "metrics")
    assert [one["step"] for one in metrics if one["event"] == "step"] == list(range(1, 41)), metrics
    assert [one["step"] for one in metrics if one["event"] == "heldout"] == [20, 40], metrics
    happened = lines("inspect", "parts", "events")
    assert happened[0]["event"] == "begin" and happened[-1]["event"] == "end", happened
    assert not any(one["event"] == "step" for one in happened), happened
    saved = lines("inspect", "parts", "checkpoints")
    assert [one["step"] for one in saved] == [20, 30, 40] and sum(one["isBest"] for one in saved) == 1, saved
    assert all(os.path.exists(os.path.join(RUNS, "parts", one["file"])) for one in saved), saved
    [recipe] = lines("inspect", "parts", "recipe")
    assert recipe["steps"] == 40 and recipe["save"]["every"] == 10, recipe
    for part, word in (("summary", "finished"), ("metrics", "TOKENS/S"), ("events", "held-out"),
                       ("checkpoints", "checkpoints/000000040.h5"), ("recipe", "every: 10")):
        said = run(command("inspect", "parts", part)).stdout
        assert word in said and "\x1b" not in said and said.endswith("\n") and not said.endswith("\n\n"), said
    assert "part" in run(command("inspect", "parts", "weights"), status=64).stderr


def test_the_list_of_runs_fits_the_terminal():
    stored("parts")
    listed = [one["name"] for one in lines("runs")]
    for columns in (60, 80, 200):
        with Terminal(command("runs"), columns, 60) as terminal:
            terminal.finish()
            rows = terminal.after.splitlines()
        starts = [row.split(" ")[0] for row in rows if row.strip()]
        assert starts[0] == "NAME" and set(starts[1:]) == set(listed) and len(starts) == len(listed) + 1, rows
        assert ("SIZE" in rows[0]) == (columns == 200), rows


def test_a_run_that_goes_on_is_live():
    process = going_on("goes-on", step=5)
    assert "● training" in run(command("inspect", "goes-on")).stdout
    assert "training" in run(command("inspect", "goes-on", "summary")).stdout
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "○ interrupted" in run(command("inspect", "goes-on")).stdout


def test_paths_of_one_character():
    here = tempfile.mkdtemp(dir=FOLDER)
    shutil.copy(TEXT, os.path.join(here, "t"))

    def go(verb, *arguments):
        return run([PROGRAM, verb, *arguments, "--runs", "r"], cwd=here)

    go("train", "tiny", "--name", "n", "--data", "t", "--steps", "3", "--headless", "--threads", "1")
    for format, path in (("csv", "c"), ("jsonl", "j"), ("safetensors", "s"), ("gguf", "g"), ("huggingface", "h"), ("tensorboard", "b")):
        go("export", "n", path, "--to", format)
    go("snapshot", "n", "z")
    go("import", "h", "--name", "i")
    go("eval", "i", "--data", "t")
    assert set("bcghjrstz") == set(os.listdir(here)), os.listdir(here)
    assert "there is no run “n” in x" in run([PROGRAM, "inspect", "n", "--runs", "x"], status=66, cwd=here).stderr


def test_runs_that_learn_from_token_files():
    there = os.path.join(FOLDER, "numbers")
    os.mkdir(there)
    for name, count in (("train.bin", 4000), ("val.bin", 400)):
        with open(os.path.join(there, name), "wb") as file:
            file.write(struct.pack(f"<{count}H", *(index * 7 % 50 for index in range(count))))
    of_tokens = ["--set", "tokenizer.kind=tokens", "--set", f"data.paths={there}", "--set", "sample.prompt=3 10"]
    run([*train("of-tokens", "--steps", "3", "--headless", *of_tokens, "--set", "sample.every=3")[:5], "--runs", RUNS,
         "--threads", "1", "--steps", "3", "--headless", *of_tokens])
    texts = events("of-tokens", "text")
    assert texts and all(one["text"].startswith(" ") for one in texts), texts
    assert re.fullmatch(r"3 10 \d+ \d+ \n", run(command("generate", "of-tokens", "--prompt", " 3 10", "--tokens", "2")).stdout)
    for prompt in ("hello", "99", "1,2", "1 x", ""):
        said = run(command("generate", "of-tokens", "--prompt", prompt), status=64).stderr
        assert "must be numbers of tokens" in said, (prompt, said)
    said = run([PROGRAM, "train", "tiny", "--name", "other-tokens", "--runs", RUNS, "--headless", *of_tokens[:-1],
                "sample.prompt=3 50"], status=64).stderr
    assert "below the vocabulary's 50" in said, said
    tokens = json.loads(run(command("tokenize", "of-tokens", os.path.join(there, "val.bin"), "--json")).stdout)["tokens"]
    assert tokens == [index * 7 % 50 for index in range(400)], tokens
    said = run(train("of-text", "--headless", "--set", "tokenizer.kind=tokens", "--set", "sample.prompt="), status=65).stderr
    assert "looks like text" in said and "tokenizer.kind" in said, said


def test_nothing_is_written_into_a_run():
    stored("guarded")
    stored("guarded-2")
    link = os.path.join(FOLDER, "link-to-run")
    os.symlink(os.path.join(RUNS, "guarded-2"), link)
    places = [os.path.join(RUNS, "guarded-2", "run.h5"), os.path.join(RUNS, "guarded", "checkpoints", "000000040.h5"),
              os.path.join(RUNS, "guarded", "new.csv"), os.path.join(link, "run.h5")]
    before = [os.path.getsize(path) if os.path.exists(path) else None for path in places]
    for path in places:
        for verb in (("export", "guarded", path, "--to", "csv", "--force"), ("snapshot", "guarded", path, "--force"),
                     ("export", "guarded", path, "--to", "safetensors", "--force")):
            assert "lies in the folder of a run" in run(command(*verb), status=64).stderr
    for format in ("huggingface", "tensorboard"):
        there = os.path.join(RUNS, "guarded", "checkpoints")
        assert "lies in the folder of a run" in run(
            command("export", "guarded", there, "--to", format, "--force"), status=64).stderr
    assert before == [os.path.getsize(path) if os.path.exists(path) else None for path in places]
    run(command("verify", "guarded", "guarded-2"))
    for path in ("", FOLDER + "/"):
        assert "cannot be the name of a file" in run(command("snapshot", "guarded", path), status=64).stderr


def test_a_run_without_a_checkpoint_keeps_its_steps():
    run(train("unsaved", "--steps", "40", "--set", "save.every=0", "--headless"))
    for file in os.listdir(os.path.join(RUNS, "unsaved", "checkpoints")):
        os.remove(os.path.join(RUNS, "unsaved", "checkpoints", file))
    assert "its 40 stored steps" in run(
        command("resume", "unsaved", "--steps", "20", "--headless"), status=64).stderr
    assert state("unsaved")["step"] == 40
    checked = run(command("verify", "unsaved")).stdout
    assert "it was saved, and is missing" in checked, checked


def test_a_copied_run_has_its_own_name():
    stored("original")
    shutil.copytree(os.path.join(RUNS, "original"), os.path.join(RUNS, "copied"), ignore=shutil.ignore_patterns("control.sock"))
    assert events("copied", "begin")[0]["name"] == "copied"
    assert " copied " in run(command("inspect", "copied")).stdout.splitlines()[0]


def test_damaged_steps_are_not_left_out_in_silence():
    folder = stored("with-damage")
    run([sys.executable, "-c", "import h5py, sys\n"
         "with h5py.File(sys.argv[1], 'r+') as file: file['metrics/loss/ntp'][9] = 1.5", os.path.join(folder, "run.h5")])
    for format in ("csv", "jsonl", "tensorboard"):
        path = os.path.join(FOLDER, "damaged-" + format)
        said = run(command("export", "with-damage", path, "--to", format), status=65)
        assert "1 damaged row is left out" in said.stderr and os.path.exists(path), said
    with open(os.path.join(FOLDER, "damaged-csv")) as file:
        assert len(file.readlines()) == 40


def test_a_run_begun_again_from_a_checkpoint_says_where():
    folder = stored("rebuilt")
    os.remove(os.path.join(folder, "run.h5"))
    assert "--from-checkpoint" in run(command("inspect", "rebuilt"), status=66).stderr
    run(command("recover", "rebuilt", "--from-checkpoint"))
    assert state("rebuilt")["step"] == 40, state("rebuilt")
    assert "begins at the checkpoint of step 40" in run(command("inspect", "rebuilt", "metrics")).stdout
    with open(os.path.join(folder, "run.h5"), "r+b") as file:
        file.truncate(5000)
    assert "--from-checkpoint" in run(command("recover", "rebuilt"), status=74).stderr


def test_a_run_begun_again_from_a_checkpoint_keeps_its_notes():
    folder = stored("rebuilt-notes")
    run(command("note", "rebuilt-notes", "a good one"))
    run(command("tag", "rebuilt-notes", "seed-study"))
    with open(os.path.join(folder, "run.h5"), "r+b") as file:
        file.write(bytes(64))
    said = run(command("recover", "rebuilt-notes", "--from-checkpoint")).stdout
    assert "2 of its notes and tags are in it" in said, said
    assert "a good one" in run(command("note", "rebuilt-notes")).stdout
    assert run(command("tag", "rebuilt-notes")).stdout == "seed-study\n"


def test_the_python_example_reads_runs():
    example = os.path.join(ROOT, "docs/read_a_run.py")
    path = stored("read", "--set", "sample.every=20")
    said = run([sys.executable, example, path]).stdout
    for words in ("read: 86464 parameters, text.txt", "40 steps", "loss/ntp, smoothed, in nats", "loss/top", "step     40  loss/ntp", "saved     saved checkpoints",
                  "written at step 40: And", "000000040.h5: step 40", "model/layers/0/mlp/up_proj/weight"):
        assert words in said, f"“{words}” is not in:\n{said}"
    copy = os.path.join(FOLDER, "read.h5")
    run(command("snapshot", "read", copy))
    assert run([sys.executable, example, copy]).stdout in said
    process = going_on("read-live", step=60)
    live = run([sys.executable, example, os.path.join(RUNS, "read-live")]).stdout
    process.terminate()
    process.communicate()
    assert "loss/ntp, smoothed" in live or "no step was taken yet" in live, live
