"""Comparing runs: as text, as JSON, and as a screen."""

import os
import re

from support import *


def compared(name, *options, steps=40):
    """A finished run with an evaluation every ten steps; made once."""
    if state(name) is None:
        run(train(name, "--steps", str(steps), "--set", "evaluate.every=10", "--set", "save.every=0", "--headless", *options))
    return name


def pair():
    return compared("plain", "--set", "objective.top=0"), compared("order")


def comparison(*arguments):
    return objects(command("compare", *arguments))


def test_runs_are_compared_as_text_and_as_json():
    text = run(command("compare", *pair())).stdout
    for word in ("held-out ntp, compared with plain at equal tokens", "REACHES", "objective.top", "DIFFERENCE"):
        assert word in text, text
    found = comparison("plain", "order", "--align", "step")
    first, lines = found[0], [one for one in found if "line" in one]
    assert (first["metric"], first["align"], first["against"], first["at"]) == ("held-out/ntp", "step", "plain", 40), first
    losses = {one["line"]: one for one in lines}
    for name in ("plain", "order"):
        stored = [event["loss"]["ntp"] for event in events(name, "heldout")]
        assert abs(losses[name]["last"]["mean"] - stored[-1]) < 1e-6, (losses[name], stored)
        assert abs(losses[name]["best"]["mean"] - min(stored)) < 1e-6, (losses[name], stored)
    difference = losses["order"]["last"]["mean"] - losses["plain"]["last"]["mean"]
    assert abs(losses["order"]["difference"] - difference) < 1e-6, losses
    keys = {one["key"]: one["values"] for one in found if "key" in one}
    assert keys == {"objective.top": {"plain": 0, "order": 1}}, keys


def test_seeds_of_one_recipe_are_one_line():
    pair()
    compared("another", "--set", "seed=7")
    lines = [one for one in comparison("order", "another", "plain") if "line" in one]
    assert [one["runs"] for one in lines] == [["order", "another"], ["plain"]], lines
    assert lines[0]["seeds"] == [1, 7] and lines[0]["last"]["count"] == 2 and lines[0]["last"]["deviation"] > 0, lines
    assert " ± " in run(command("compare", "order", "another", "plain")).stdout


def test_wrong_words_for_compare_are_refused():
    pair()
    assert "at most 64 runs" in run(command("compare", *[f"r{i}" for i in range(65)]), status=64).stderr
    assert "did you mean plain?" in run(command("compare", "order", "plian"), status=66).stderr
    assert "did you mean loss/ntp?" in run(command("compare", "order", "plain", "--metric", "loss/nt"), status=64).stderr
    assert "one of the runs" in run(command("compare", "order", "plain", "--against", "x"), status=64).stderr
    assert "named twice" in run(command("compare", "order", "order"), status=64).stderr


def test_one_run_alone_is_charted_by_any_metric():
    """What steps and evaluations store is a metric: those of trained losses and of diagnostics too."""
    shaped = compared(
        "shaped", "--set", "objective.next.beta=0.5", "--set", "measure.calibration=1", "--set", "measure.states=2",
        "--set", "measure.position=1")
    stored = events(shaped, "heldout")
    for metric, path in (("calibration/ece", ("calibration", "ece")), ("kl/top", ("kl", "top")),
                         ("gradient-at-h/ntp", ("gradientAtH", "ntp")), ("states/cosine", ("states", "cosine"))):
        found = comparison(shaped, "--metric", metric)
        points = next(one for one in found if "line" in one)["points"]
        wanted = [event[path[0]][path[1]] for event in stored if path[0] in event]
        assert len(points) == len(wanted) and all(abs(y - z) < 1e-5 for (_, y), z in zip(points, wanted)), (metric, points, wanted)
    for metric in ("trained/ntp", "entropy/ntp", "loss/total", "weight/ntp", "phase/update"):
        found = comparison(shaped, "--metric", metric, "--align", "step")
        points = next(one for one in found if "line" in one)["points"]
        assert [x for x, _ in points] == list(range(1, 41)), (metric, points)
        assert (found[0]["smoothing"] is None) == metric.startswith(("weight", "phase")), found[0]
    text = run(command("compare", shaped, "--metric", "entropy/ntp", "--align", "step")).stdout
    assert "entropy ntp of shaped, smoothed by 0.9" in text and "24 of 40 values; --json has all" in text, text
    assert "REACHES" not in text and "DIFFERENCE" not in text, text
    assert "this run has no" in run(command("compare", shaped, "--metric", "memory-used/block-0"), status=64).stderr
    table = os.path.join(FOLDER, "shaped.csv")
    run(command("compare", shaped, "--metric", "trained/ntp", "--export", table))
    with open(table) as file:
        assert len(file.read().splitlines()) > 40
    help = run(command("compare", "--help")).stdout
    for word in ("trained/ntp", "gradient-at-h/HEAD", "calibration/NAME", "ece", "HEAD-from-0", "nc4-agreement"):
        assert word in help, help


def test_the_screen_of_one_run_lists_its_metrics():
    with Terminal(command("compare", compared("order")), columns=80, rows=24) as terminal:
        terminal.wait_for("held-out ntp")
        terminal.type("/grad")
        terminal.wait_for("gradient/norm")
        terminal.type("\r")
        terminal.wait_for("y gradient norm")
        terminal.leave()
        terminal.assert_restored()


def test_the_compare_screen_reads_at_a_cursor_and_is_left():
    with Terminal(command("compare", *pair()), columns=120, rows=36) as terminal:
        terminal.wait_for("at the cursor: 20.5 k tokens")
        for word in ("held-out ntp", "plain", "order", "objective.top", "reaches"):
            terminal.wait_for(word)
        terminal.type("\x1b[D")
        terminal.wait_for(lambda terminal: "at the cursor" in terminal.text and "20.5 k tokens" not in terminal.text)
        terminal.type("a")
        terminal.wait_for("equal time")
        terminal.type("m")
        terminal.wait_for("smooth 0.9")
        terminal.type("d")
        terminal.wait_for(re.compile("─ difference from plain ─+ difference at"))
        for columns, rows in ((40, 12), (20, 4), (220, 60), (80, 24)):
            terminal.resize(columns, rows)
            terminal.wait_for(lambda terminal: "cursor" in terminal.text.splitlines()[-1])
        terminal.type("?")
        terminal.wait_for("move the cursor")
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "move the cursor" not in terminal.text)
        terminal.leave()
        terminal.assert_restored()


def test_a_run_that_goes_on_moves_on_the_compare_screen():
    compared("plain", "--set", "objective.top=0")
    with begin("going") as other:
        with Terminal(command("compare", "plain", "going"), columns=120, rows=36) as terminal:
            terminal.wait_for("● training")
            # It has no evaluation: losses over steps are compared, and the line grows.
            terminal.type("a" * 3 + "\x1b[F")
            before = terminal.wait_for(re.compile(r"at the cursor: ([\d ]+) steps"))[1]
            terminal.wait_for(
                lambda terminal: (found := re.search(r"at the cursor: ([\d ]+) steps", terminal.text)) and found[1] != before
                or terminal.type("\x1b[F"))
            terminal.leave()
        other.type("\x03")
        other.finish()
