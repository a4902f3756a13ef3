"""Diagnostics of one run: on its screen, as text and as JSON."""

import re

from support import *

ALL = ("function", "position", "frequency", "entropy", "calibration", "states", "greedy", "collapse")


def measured():
    """A finished run that measured everything at each of its three evaluations; made once."""
    if state("measured") is None:
        asked = [word for name in ALL for word in ("--set", f"measure.{name}=1")]
        run(train(
            "measured", "--steps", "15", "--set", "evaluate.every=5", "--set", "evaluate.tokens=512", "--set", "save.every=0",
            "--set", "data.heldOut=0.1", "--headless", *asked))
    return "measured"


def test_a_run_prints_what_it_measured():
    text = run(command("inspect", measured(), "diagnostics")).stdout
    stored = events("measured", "heldout")
    assert len(stored) >= 3, stored
    for name in ALL:
        assert re.search(rf"^{name}/\S+ .* 15 +{len(stored)}$", text, re.MULTILINE), (name, text)
    first, last = (f"{event['entropy']['mean']:.3f}" for event in (stored[0], stored[-1]))
    assert re.search(rf"^entropy/mean +{first} +{last} +nats +15 ", text, re.MULTILINE), (first, last, text)
    # Bins are in their order, and those of the diagram are in its table alone.
    assert text.index("position/ntp-from-2 ") < text.index("position/ntp-from-16 "), text
    assert "calibration/3-accuracy" not in text and "accuracy by confidence" in text, text
    calibration = stored[-1]["calibration"]
    for line in re.findall(r"^0\.(\d)–\S+ +(\S+) +(\S+) +(\S+) +(.+)$", text, re.MULTILINE):
        bin, confidence, accuracy, _, count = line
        if confidence != "–":
            assert abs(float(confidence) - calibration[f"{bin}-confidence"]) < 6e-4, (line, calibration)
            assert abs(float(accuracy) - calibration[f"{bin}-accuracy"]) < 6e-4, (line, calibration)
        assert int(count.replace(" ", "")) == calibration[f"{bin}-count"], (line, calibration)
    assert len(re.findall(r"^0\.\d–", text, re.MULTILINE)) == 10, text
    assert "has what measure.* measured" in run(command("inspect", "measured", "metrics")).stdout


def test_a_run_prints_its_measurements_as_json():
    measurements = objects(command("inspect", measured(), "diagnostics"))
    stored = events("measured", "heldout")
    assert [one["step"] for one in measurements] == [event["step"] for event in stored], measurements
    for one, event in zip(measurements, stored):
        for name in ALL:
            own = {key: value for key, value in one[name].items() if key != "reliability"}
            assert own == event[name], (name, own, event[name])
        bins = one["calibration"]["reliability"]
        assert [bin["from"] for bin in bins] == [number / 10 for number in range(10)], bins
        total = sum(bin["count"] for bin in bins)
        error = sum(bin["count"] * abs(bin["accuracy"] - bin["confidence"]) for bin in bins if bin["count"]) / total
        assert abs(error - event["calibration"]["ece"]) < 1e-5, (error, event["calibration"])


def test_a_run_without_diagnostics_says_so():
    if state("unmeasured") is None:
        run(train("unmeasured", "--steps", "2", "--headless"))
    assert "measures no diagnostics" in run(command("inspect", "unmeasured", "diagnostics")).stdout
    # What is switched on later is not stored, and that is said.
    if state("measured-late") is None:
        run(train("measured-late", "--steps", "2", "--headless"))
        run(command("resume", "measured-late", "--steps", "4", "--headless", "--set", "measure.states=1"))
    told = [one["text"] for one in occurrences("measured-late", "warning") if "not stored" in one["text"]]
    assert told and all(text.startswith("measure.states: measured and shown") for text in told), told
    # Without a held-out text a run says at once that nothing is measured.
    if state("unheld") is None:
        run(train("unheld", "--steps", "2", "--headless", "--set", "data.heldOut=0", "--set", "measure.entropy=1"))
    (warning,) = [one for one in occurrences("unheld", "warning") if "no diagnostics are measured" in one["text"]]
    assert warning["step"] == 0 and "measure.entropy to 0" in warning["text"], warning
    assert "no held-out text" in run(command("inspect", "unheld", "diagnostics")).stdout
    assert run(command("inspect", "unmeasured", "diagnostics", "--json")).stdout == ""


def test_the_screen_of_a_run_has_a_panel_for_each_diagnostic():
    with Terminal(command("inspect", measured()), columns=120, rows=36) as terminal:
        terminal.wait_for("finished")
        terminal.type("6")
        for word in ("─ tokens ─", "─ collapse ─", "─ diagnostics ─", "entropy mean", "NC4 agreement"):
            terminal.wait_for(word)
        # The fourth panel alone: it has the reliability diagram, and a chart of the number that is chosen.
        terminal.type("\t" * 4 + "\r")
        terminal.wait_for("accuracy by confidence")
        terminal.type("\x1b[B" * 2)
        terminal.wait_for("↑ ↓ calibration ece")
        terminal.leave()
        terminal.assert_restored()


def test_help_lists_diagnostics():
    for verb in ("compare", "eval"):
        text = run([PROGRAM, verb, "--help"]).stdout
        for name in ALL:
            assert f"  {name}/NAME" in text, (verb, name, text)
        for number in ("distinct-1", "cosine", "HEAD-fc", "HEAD-1e-3", "gnc2-uniformity"):
            assert number in text, (verb, number, text)
