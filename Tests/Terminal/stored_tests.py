"""What one does with stored runs: commands that check, compare, remove and export them."""

import json
import os
import signal
import subprocess
import sys

from support import *


def stored(name, *options, steps=40):
    """A finished run with a few checkpoints; made once."""
    if state(name) is None:
        run(train(name, "--steps", str(steps), "--set", "save.every=10", "--set", "evaluate.every=20", "--headless", *options))
    return os.path.join(RUNS, name)


def lines(verb, *arguments, status=0):
    return [json.loads(line) for line in run(command(verb, *arguments, "--json"), status=status).stdout.splitlines()]


def damage(path, place=None):
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        place = file.tell() // 2 if place is None else place
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def test_a_run_is_verified_and_damage_is_a_status():
    folder = stored("verified")
    checks = lines("verify", "verified")
    assert all(check["isWhole"] for check in checks) and len(checks) == 13, checks
    assert run(command("verify", "verified")).stdout.splitlines()[-1].endswith("as it was written: 13 parts checked")
    damage(os.path.join(folder, "checkpoints", "000000040.h5"))
    bad = [check for check in lines("verify", "verified", status=65) if not check["isWhole"]]
    assert [check["check"] for check in bad] == ["checkpoints/000000040.h5"], bad
    assert "BAD  checkpoints/000000040.h5" in run(command("verify", "verified"), status=65).stdout
    assert "did you mean verified?" in run(command("verify", "verifeid"), status=66).stderr


def test_a_killed_run_is_recovered_by_hand():
    process = subprocess.Popen(
        train("killed", *ENDLESS, "--json"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if json.loads(line).get("step", 0) >= 20:
            break
    assert "process" in run(command("recover", "killed"), status=69).stderr
    assert all(check["isWhole"] for check in lines("verify", "killed")), "a live run is whole"
    copy = os.path.join(FOLDER, "live.h5")
    assert "live.h5: run “killed” with " in run(command("snapshot", "killed", copy)).stdout
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert all(check["isWhole"] for check in lines("verify", "killed"))
    assert "recovered up to step" in run(command("recover", "killed")).stdout
    assert not os.path.exists(os.path.join(RUNS, "killed", "run.journal"))
    assert "nothing to recover" in run(command("recover", "killed")).stdout
    assert all(check["isWhole"] and not check["notes"] for check in lines("verify", "killed"))
    assert "exists already" in run(command("snapshot", "killed", copy), status=73).stderr
    run(command("snapshot", "killed", copy, "--force"))


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
