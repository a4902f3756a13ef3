"""Experiments: cells, tables, files for papers, and that a killed one goes on where it was."""

import json
import os
import re
import shutil
import xml.dom.minidom

from experiments import EXPERIMENT, WORDS, experiment, killed, table
from support import *


def test_an_experiment_is_run_and_reported():
    result = run([*experiment("whole"), "--headless"])
    assert "SETTING" in result.stdout and "SOLVED" in result.stdout, result.stdout
    assert "4 of 4 cells are over" in result.stdout, result.stdout
    lines = table("whole").splitlines()
    assert lines[0] == "setting,seed,state,step,samples,accuracy/path,held-out/ntp,parameters", lines[0]
    assert [line.split(",")[:2] for line in lines[1:]] == [["ntp", "1"], ["ntp", "2"], ["top", "1"], ["top", "2"]]
    # Nothing is left: the same again does nothing, and says the same.
    again = run([*experiment("whole"), "--headless"])
    assert "trains" not in again.stdout, again.stdout
    assert table("whole").splitlines() == lines
    printed = objects(experiment("whole"))
    assert [item.get("cell") for item in printed[:4]] == ["ntp-1", "ntp-2", "top-1", "top-2"]
    assert printed[5]["difference"]["against"] == "ntp", printed[5]
    assert list(printed[5]["differences"]) == ["accuracy/path", "held-out/ntp"], printed[5]
    # The program itself, and the network.
    assert all(2**26 < setting["memory"] < 2**28 for setting in printed[4:]), printed[4:]
    assert "AGAINST NTP" in result.stdout and "MEMORY" in result.stdout, result.stdout
    picture, numbers = (os.path.join(FOLDER, "whole" + end) for end in (".svg", ".csv"))
    page = run([*experiment("whole", "report"), "--export", picture, "--export", numbers])
    assert page.stdout.startswith("# Experiment whole") and "| setting |" in page.stdout, page.stdout
    xml.dom.minidom.parse(picture)
    assert open(numbers).read().splitlines()[1].startswith("ntp,1,"), open(numbers).read()


def test_cells_are_ordinary_runs():
    run([*experiment("cells"), "--headless", "--seeds", "1", "--only", "top"])
    summary = json.loads(run(command("inspect", "cells/top-1", "summary", "--json")).stdout)
    assert summary["state"] == "finished", summary
    run([PROGRAM, "inspect", "top-1", "summary", "--runs", os.path.join(RUNS, "cells")])
    numbers = os.path.join(FOLDER, "top.csv")
    run([*command("inspect", "cells/top-1"), "--export", numbers])
    assert open(numbers).readline().startswith("curve,tokens,loss (nats)"), open(numbers).readline()


def test_runs_are_counted_before_they_are_begun():
    result = run([*experiment("dry"), "--dry-run"])
    assert "4 runs in" in result.stdout and "4 of them left" in result.stdout, result.stdout
    assert "MEMORY" in result.stdout, result.stdout
    assert not os.path.exists(os.path.join(RUNS, "dry"))


def test_a_killed_experiment_ends_with_the_table_of_one_that_was_not():
    run([*experiment("unkilled"), "--headless", "--jobs", "2"])
    assert killed("killed", 20 if IS_FULL else 3) > 0
    assert table("killed") == table("unkilled"), table("killed") + table("unkilled")


def test_more_steps_go_on_with_the_cells_that_are_unsolved():
    # No share of paths is above 1: nothing is ever solved.
    options = ["--seeds", "2", "--only", "ntp", "--set", "stop.until=accuracy/path > 1"]

    def rows(name, steps):
        result = run([*experiment(name), "--headless", *options, "--steps", str(steps)])
        assert f"ended at step {steps}" in result.stdout, result.stdout
        lines = run([*experiment(name, "report"), *options, "--steps", str(steps), "--csv"]).stdout.splitlines()
        return [line.rsplit(",", 1)[0] for line in lines]

    assert [line.split(",")[3] for line in rows("longer", 20)[1:]] == ["20", "20"]
    # The rate is constant: the further steps are those of a run that was begun with as many.
    longer = rows("longer", 60)
    assert [line.split(",")[2:4] for line in longer[1:]] == [["ended", "60"]] * 2, longer
    assert longer == rows("at-once", 60)


def test_a_cell_that_fails_does_not_end_the_rest():
    path = os.path.join(FOLDER, "odd.yaml")
    with open(path, "w") as file:
        file.write(WORDS.replace("  top: {}", "  top: {}\n  odd: {data.paths: /no/such/file, data.kind: text, stop.until: ''}"))
    arguments = [PROGRAM, "experiment", path, "--runs", RUNS, "--headless", "--seeds", "1"]
    result = run(arguments, status=1)
    assert "odd-1: " in result.stderr and "/no/such/file" in result.stderr, result.stderr
    assert "2 of 3 cells are over" in result.stdout, result.stdout


def test_a_rate_is_named():
    options = ["--steps", "20", "--rates", "1e-3,1e-4", "--set", "data.graph.test=64", "--headless"]
    result = run([PROGRAM, "experiment", "rate", "stargraph-quick", "--runs", RUNS, "--threads", "1", *options])
    assert "take schedule.rate 1.0e-3" in result.stdout, result.stdout


def test_what_is_wrong_with_an_experiment_is_said():
    crowded = os.path.join(FOLDER, "crowded.yaml")
    with open(crowded, "w") as file:
        file.write(re.sub(r"(?m)^threads: .*$", "threads: 1000", WORDS))
    cases = [
        (["experiment", "tabel3"], 66, ["did you mean table3?"]),
        (["experiment", "/no/such.yaml"], 66, ["/no/such.yaml"]),
        (["experiment", EXPERIMENT, "--only", "tpo"], 64, ["did you mean top?"]),
        (["experiment", EXPERIMENT, "--jobs", "0"], 64, ["--jobs must be from 1"]),
        (["experiment", EXPERIMENT, "--export", "a.jpg"], 64, ["a.jpg", ".svg", ".png"]),
        (["experiment", crowded], 64, ["threads: 1000", "change that line"]),
        (["experiment", "report", EXPERIMENT, "--name", "nothing"], 66, ["nothing of the experiment is stored"]),
    ]
    for arguments, status, words in cases:
        result = run([PROGRAM, *arguments, "--runs", RUNS], status=status)
        for word in words:
            assert word in result.stderr, f"{arguments}: {result.stderr}"


def test_an_experiment_without_a_condition_has_a_chart_too():
    options = ["--set", "stop.until=", "--steps", "40", "--seeds", "2", "--only", "top"]
    result = run([*experiment("curves"), "--headless", *options])
    assert "accuracy/path over samples" not in result.stdout and "held-out/ntp over samples" in result.stdout, result.stdout
    picture = os.path.join(FOLDER, "curves.svg")
    run([*experiment("curves", "report"), *options, "--export", picture])
    text = xml.dom.minidom.parse(picture).documentElement.toxml()
    assert "top (2)" in text and "standard deviation over seeds" in text, text


def test_other_pictures_are_converted_where_the_program_for_it_is():
    run(train("pictured", "--steps", "12", "--headless"))
    programs = os.path.join(FOLDER, "programs")
    os.makedirs(programs)
    env = dict(os.environ, PATH=programs)

    def export(ending, status=0):
        path = os.path.join(FOLDER, "pictured." + ending)
        return path, run([*command("inspect", "pictured"), "--export", path], status=status, env=env)

    path, result = export("png", 64)
    assert "rsvg-convert is not in PATH" in result.stderr and ".svg" in result.stderr, result.stderr
    converter = os.path.join(programs, "rsvg-convert")
    for words, status in (("echo \"$*\"; exec /bin/cat", 0), ("echo no such kind >&2; exit 1", 69)):
        with open(converter, "w") as file:
            file.write("#!/bin/sh\n" + words + "\n")
        os.chmod(converter, 0o755)
        for ending, options in (("png", "--format png --zoom 3\n"), ("pdf", "--format pdf --zoom 1\n")):
            path, result = export(ending, status)
            if status:
                assert "rsvg-convert refuses: no such kind" in result.stderr, result.stderr
                continue
            with open(path) as file:
                written = file.read()
            assert written.startswith(options + "<?xml") and written.endswith("</svg>\n"), written
            os.remove(path)
        assert not status or not os.path.exists(path)
    if shutil.which("rsvg-convert"):
        path = os.path.join(FOLDER, "real.png")
        run([*command("inspect", "pictured"), "--export", path])
        with open(path, "rb") as file:
            assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_a_cell_of_another_recipe_is_not_counted():
    run([*experiment("other"), "--headless", "--seeds", "1", "--only", "top"])
    result = run([*experiment("other"), "--headless", "--seeds", "1", "--only", "top", "--set", "model.width=16"], status=65)
    assert "was trained with model.width" in result.stderr, result.stderr


def test_a_cell_whose_file_is_damaged_says_what_to_do():
    run([*experiment("damaged"), "--headless", "--seeds", "1"])
    with open(os.path.join(RUNS, "damaged", "top-1", "run.h5"), "wb") as file:
        file.write(b"not a run" * 1000)
    result = run([*experiment("damaged"), "--headless", "--seeds", "1"], status=65)
    assert "is not an HDF5 file" in result.stderr and "the cell is trained again" in result.stderr, result.stderr
    shutil.rmtree(os.path.join(RUNS, "damaged", "top-1"))
    run([*experiment("damaged"), "--headless", "--seeds", "1"])


def test_the_screen_shows_cells_and_opens_them():
    with Terminal(experiment("shown"), 110, 34) as terminal:
        terminal.wait_for(lambda terminal: "cells" in terminal.text and "seed 1" in terminal.text)
        # A cell that has begun: the legend has the same signs.
        terminal.wait_for(re.compile("ntp +[■✓] "))
        terminal.type("\r")
        terminal.wait_for(lambda terminal: "ntp-1" in terminal.text and "losses" in terminal.text)
        terminal.type("q")
        terminal.wait_for(lambda terminal: "seed 1" in terminal.text)
        terminal.leave()
        terminal.assert_restored()
    run([*experiment("shown"), "--headless"])
