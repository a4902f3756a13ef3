"""What a recipe will take, said beforehand, against what it takes; and the measurements' outer form."""

import json
import os
import re
import shutil
import subprocess

from support import *

# Networks of some size, so that what the program itself takes is little beside theirs.
SHAPES = {
    "wide": ["model.width=512", "model.heads=8", "model.keyValueHeads=8"],
    "long": ["model.context=1024", "model.width=128", "batch.rows=4"],
    "ahead": ["objective.mtp.heads=3", "objective.mtp.kind=sequential", "model.width=256", "model.heads=4"],
}


def peak_memory(command):
    """The most memory that a process had, bytes."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, errors
    return usage.ru_maxrss * 1024


def plan(*arguments, status=0):
    result = run([PROGRAM, "plan", *arguments, "--json", "--threads", "1", "--data", TEXT], status)
    return json.loads(result.stdout), result.stderr


def test_a_plan_says_what_a_run_takes():
    for name, changes in SHAPES.items():
        changes = ["batch.rows=32", "model.blocks=3", "sample.every=0", *changes]
        options = [word for change in changes for word in ("--set", change)]
        page, _ = plan("tiny", "--no-measure", *options)
        memory = page["memory"]
        total = memory.pop("total")
        assert total == sum(memory.values()) and page["fits"] is True, page
        assert page["parameters"].pop("total") == sum(page["parameters"].values())
        peak = peak_memory(train(f"plan-{name}", "--headless", "--steps", "2", *options))
        assert 0.8 * total < peak < 1.1 * total, f"{name}: {peak >> 20} MiB taken, {total >> 20} MiB planned: {memory}"
        disk = page["disk"]
        (step,) = checkpoints(f"plan-{name}")
        size = os.path.getsize(os.path.join(RUNS, f"plan-{name}", "checkpoints", f"{step:09}.h5"))
        assert 0.9 * disk["checkpoint"] < size < 1.05 * disk["checkpoint"], f"{name}: {size} bytes written, planned: {disk}"
        assert disk["total"] > disk["checkpoints"] * disk["checkpoint"] + disk["metrics"], disk
        assert state(f"plan-{name}")["parameters"] == sum(page["parameters"].values())


def test_a_plan_estimates_the_time():
    page, _ = plan("tiny", "--steps", "100")
    estimate = page["estimate"]
    assert estimate["tokensPerSecond"] > 0 and estimate["shareOfLimit"] > 0, estimate
    assert abs(estimate["run"] - 100 * estimate["step"]) < 1e-9 * estimate["run"]
    text = run([PROGRAM, "plan", "tiny", "--data", TEXT]).stdout
    assert "tokens/s" in text and "of measuring" in text, text
    text = run([PROGRAM, "plan", "tiny", "--no-measure", "--data", TEXT]).stdout
    for words in ("parameters", "activations", "FLOPs a token", "tokens a step", "the characters of the text"):
        assert words in text, text
    assert "tokens/s" not in text, text


def test_a_plan_knows_what_objectives_take():
    def planned(*changes):
        return plan("tiny", "--steps", "90", "--set", "objective.top=0", *(word for change in changes for word in ("--set", change)))[0]

    plain = planned()
    assert not {"shaping", "alone", "drawn"} & plain["estimate"].keys() and "drawn" not in plain["memory"], plain
    for changes, steps in ((["objective.next.ahead=3"], 60), (["objective.next.tail=-0.1"], 90),
                           (["objective.teacher.file=/no/such/file", "objective.teacher.steps=20"], 20)):
        page = planned(*changes)
        shaping, estimate = page["estimate"]["shaping"], page["estimate"]
        assert shaping["steps"] == steps and shaping["seconds"] >= 0, page
        rest = estimate["blocks"] + estimate["heads"] + estimate["update"]
        assert abs(estimate["run"] - 90 * rest - steps * shaping["seconds"]) < 1e-6 * estimate["run"], estimate
        assert page["memory"]["targets"] > plain["memory"]["targets"], page
    drawn = planned("data.drawn.share=0.2")
    assert drawn["estimate"]["drawn"] > 0 and drawn["operationsPerToken"]["drawn"] > 0, drawn
    assert drawn["memory"]["drawn"] > 8 * sum(list(plain["parameters"].values())[1:]), drawn
    alone = planned("objective.mtp.heads=2", "objective.mtp.kind=sequential", "objective.mtp.alone=30")
    assert alone["estimate"]["alone"]["steps"] == 30 and alone["estimate"]["alone"]["seconds"] < 0, alone
    joint = planned("objective.jtp.weight=0.1")
    assert joint["operationsPerToken"]["heads"] == 5 * plain["operationsPerToken"]["heads"], joint
    assert joint["operationsPerToken"]["joints"] > 0 and joint["memory"]["total"] > plain["memory"]["total"], joint
    text = run([PROGRAM, "plan", "tiny", "--steps", "90", "--data", TEXT, "--set", "objective.next.ahead=3"]).stdout
    assert "in each of the first 60 steps: the next-token loss is not plain cross-entropy" in text, text
    assert " a step on average (blocks " in text, text


def test_what_cannot_fit_is_refused_before_anything_is_made():
    page, message = plan("paper-7b", "--no-measure", status=69)
    assert page["fits"] is False and " GB" in message, message
    refused = run(train("too-large", "--headless", recipe="paper-7b"), 69)
    assert "this recipe needs" in refused.stderr and "make model.blocks" in refused.stderr, refused.stderr
    assert refused.stdout == "" and not os.path.exists(os.path.join(RUNS, "too-large"))
    rows = run(train("too-many-rows", "--headless", "--set", "batch.rows=60000", "--set", "model.inner=131072"), 69)
    assert "batch.rows" in rows.stderr and "batch.accumulation" in rows.stderr, rows.stderr


def test_one_workload_is_measured_alone():
    result = run([PROGRAM, "bench", "--workload", "ntp fp32", "--rounds", "1", "--json"])
    measured = json.loads(result.stdout)
    assert measured["workload"] == "ntp fp32" and measured["tokensPerSecond"] > 0
    assert measured["peakMemory"] > 2 ** 28, measured
    assert "there are ntp" in run([PROGRAM, "bench", "--workload", "nothing"], 64).stderr
    assert "did you mean steps?" in run([PROGRAM, "bench", "--only", "step"], 64).stderr


def test_a_recipe_is_measured_by_itself():
    measured = json.loads(run([PROGRAM, "bench", "tiny", "--rounds", "1", "--json", "--data", TEXT]).stdout)
    (row,) = measured["steps"]
    assert row["workload"].startswith("tiny ") and row["tokensPerSecond"] > 0 and row["share"] > 0
    for phase in ("data", "forward", "heads", "backward", "update"):
        assert row[phase] >= 0, row


# What `make install` makes of the argument parser's description

def test_every_command_has_a_manual_page_and_completions():
    folder = os.path.join(FOLDER, "manual")
    os.makedirs(folder)
    run([PROGRAM, "manual", folder])
    listed = re.findall(r"^  (\w+)(?:, \w+)*(?: \(default\))?  ", run([PROGRAM, "--help"]).stdout.split("SUBCOMMANDS:")[1], re.M)
    assert len(listed) > 15, listed
    assert sorted(os.listdir(folder)) == sorted(
        ["foretop.1", "foretop-recipe.5"] + [f"foretop-{name}.1" for name in listed])

    def page(name):
        with open(os.path.join(folder, name)) as file:
            return file.read().replace("\\-", "-")

    for name in listed:
        options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", run([PROGRAM, "help", name]).stdout, re.M)
        text = page(f"foretop-{name}.1")
        assert options and all(option in text for option in options), (name, options)
    keys = re.findall(r"^  ([a-z]\w*(?:\.\w+)*)  ", run([PROGRAM, "train", "--help"]).stdout.split("for --set:")[1].split("USAGE")[0], re.M)
    assert len(keys) > 50 and all(f".It Cm {key}\n" in page("foretop-recipe.5") for key in keys), keys
    if shutil.which("groff"):
        for name in os.listdir(folder):
            said = run(["groff", "-Kutf8", "-mdoc", "-Tutf8", "-ww", os.path.join(folder, name)]).stderr
            assert not said, (name, said)
    for shell, word in (("bash", "complete"), ("zsh", "#compdef foretop"), ("fish", "complete -c")):
        script = run([PROGRAM, "--generate-completion-script", shell]).stdout
        assert word in script and all(name in script for name in listed), shell
    assert "cannot be written" in run([PROGRAM, "manual", os.path.join(folder, "missing")], status=73).stderr
