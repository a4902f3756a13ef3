"""The screens of tensors and data, alerts, choices that are remembered, and true colours."""

import json
import os
import re
import shutil

from support import *
from terminal import FRAME_BEGINS, FRAME_ENDS


def stored():
    """A finished run with two checkpoints; made once."""
    folder = os.path.join(FOLDER, "looked-at")
    if not os.path.isdir(folder):
        run([PROGRAM, "train", "tiny", "--name", "first", "--runs", folder, "--data", TEXT, "--threads", "1", "--steps", "20",
             "--set", "evaluate.every=10", "--set", "save.every=10", "--headless"])
    return folder


def test_tensors_of_two_checkpoints_are_compared_on_the_screen():
    with Terminal([PROGRAM, "tensors", "first", "--runs", stored()], 120, 36) as terminal:
        terminal.wait_for("step 20 against step 10")
        terminal.wait_for(re.compile("σ .* %|singular values"))
        terminal.wait_for(re.compile("norm .*steps 10–20"))
        terminal.type("\x1b[B")
        terminal.wait_for("close and open a group")
        terminal.type("[")
        terminal.wait_for("step 10 against step 20")
        terminal.leave()
        terminal.assert_restored()


def test_tensors_of_a_damaged_checkpoint_give_way_to_those_of_the_one_before():
    folder = os.path.join(FOLDER, "damaged-tensors")
    shutil.copytree(stored(), folder)
    newest = os.path.join(folder, "first", "checkpoints", "000000020.h5")
    with open(newest, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    with Terminal([PROGRAM, "tensors", "first", "--runs", folder], 120, 36) as terminal:
        terminal.wait_for("checksum is wrong")
        terminal.wait_for("step 10 ")
        terminal.wait_for(re.compile("σ .* %|singular values"))
        assert "against" not in terminal.text.split("\n")[0]
        terminal.leave()
        terminal.assert_restored()


def test_the_list_of_runs_and_a_stored_run_open_the_tensors():
    with Terminal([PROGRAM, "browse", "--runs", stored()], 120, 36) as terminal:
        terminal.wait_for("▸ ■ first")
        terminal.type("T")
        terminal.wait_for("tensors   first")
        terminal.type("q")
        terminal.wait_for("▸ ■ first")
        terminal.type("\r")
        terminal.wait_for("losses")
        terminal.type("T")
        terminal.wait_for("tensors   first")
        terminal.type("q")
        terminal.wait_for("losses")
        terminal.type("q")
        terminal.wait_for("▸ ■ first")
        terminal.leave()


def test_tensors_without_a_terminal_have_differences_as_text_and_json():
    rows = objects([PROGRAM, "tensors", "first", "--runs", stored(), "--against", "10"])
    assert all(0 < row["difference"] < 10 and -1 <= row["cosine"] <= 1 for row in rows)
    text = run([PROGRAM, "tensors", "first", "--runs", stored(), "--against", "10"]).stdout
    assert "DIFFERENCE" in text and "against step 10" in text
    assert "no checkpoint of step 7" in run(
        [PROGRAM, "tensors", "first", "--runs", stored(), "--against", "7"], status=66).stderr


def test_data_shows_windows_and_targets():
    with Terminal([PROGRAM, "data", "tiny", "--data", TEXT], 120, 36) as terminal:
        terminal.wait_for("window 0 of")
        terminal.wait_for("ahead  weight")
        terminal.type("]")
        terminal.wait_for("window 1 of")
        terminal.leave()
        terminal.assert_restored()


def test_data_shows_a_bar_while_the_text_becomes_tokens():
    folder = os.path.join(FOLDER, "several-texts")
    os.makedirs(folder)
    for number in range(3):
        shutil.copy(TEXT, os.path.join(folder, f"{number}.txt"))
    with Terminal([PROGRAM, "data", "tiny", "--data", folder], 120, 36) as terminal:
        terminal.wait_for("window 0 of")
        before = terminal.raw.partition(b"\x1b[?1049h")[0].decode()
        # The first of three files, and what is left of the line when the screen comes.
        assert re.search(r"\rtokens  ━+─+  33 %[^\r\n]*\r(tokens[^\r\n]*\r)* +\r$", before), before
        terminal.leave()
        terminal.assert_restored()


def test_data_shows_the_targets_on_a_low_terminal():
    with Terminal([PROGRAM, "data", "tiny", "--data", TEXT], 40, 12) as terminal:
        terminal.wait_for("window 0 of")
        terminal.wait_for(re.compile("at “.*ntp “"))
        terminal.wait_for(re.compile(r"top “.*” \.6"))
        terminal.leave()


def test_data_is_what_training_reads():
    """Windows without a terminal: targets follow from the tokens, and the documents bound them."""
    options = ["--data", TEXT, "--set", "model.context=16", "--set", "data.documents=separate", "--set",
               "data.separator=.\\n"]
    result = run([PROGRAM, "data", "tiny", "--json", "--windows", "5", *options])
    windows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [window["window"] for window in windows] == [0, 1, 2, 3, 4]
    for window in windows:
        tokens, documents = window["tokens"], window["documents"]
        assert len(tokens) == len(window["text"]) == len(documents) == len(window["mask"]) == len(window["top"]) == 16
        for position in range(15):
            follows = documents[position + 1] == documents[position]
            assert window["mask"][position] == follows
            assert window["ntp"][position] == (tokens[position + 1] if follows else None)
            top = window["top"][position]
            assert bool(top) == follows
            if top:
                assert top[0][0] == tokens[position + 1]
                assert abs(sum(weight for _, weight in top) - 1) < 1e-4
                assert [weight for _, weight in top] == sorted((weight for _, weight in top), reverse=True)
    # The targets of one position, as a table.
    position = next(place for place in range(13) if windows[0]["mask"][place])

    def weights(*more):
        said = run([PROGRAM, "data", "tiny", "--position", str(position), *options, *more]).stdout.splitlines()
        assert said[0].startswith(f"window 0, position {position}: “"), said
        return [line.split()[1] for line in said if line.lstrip()[:1].isdigit() and "“" in line]

    assert weights() == [f"{weight:.4f}" for _, weight in windows[0]["top"][position] if weight >= 0.00005]
    assert "a window has 16 positions" in run([PROGRAM, "data", "tiny", "--position", "16", *options], status=64).stderr
    assert "leave out --json" in run([PROGRAM, "data", "tiny", "--position", "3", "--json", *options], status=64).stderr
    # Scores in half precision tie at a window of 4096, wherever the next two tokens differ.
    packed = ["--set", "data.documents=packed", "--set", "objective.window=4096"]
    position = next(place for place in range(13) if len(set(windows[0]["tokens"][place + 1:place + 3])) == 2)
    exact, tied = weights(*packed), weights(*packed, "--set", "objective.semantics=float16Scores")
    assert exact[0] > exact[1] and tied[0] == tied[1], (exact, tied)
    summary = json.loads(run([PROGRAM, "data", "tiny", "--json", "--summary", *options]).stdout)
    assert summary["files"] == 1 and summary["bytes"] == os.path.getsize(TEXT)
    assert "commonest tokens" in run([PROGRAM, "data", "tiny", *options]).stdout
    # The same windows with the same seed, others with another.
    again = run([PROGRAM, "data", "tiny", "--json", "--windows", "5", *options]).stdout
    assert again == result.stdout
    assert run([PROGRAM, "data", "tiny", "--json", "--windows", "5", *options, "--set", "seed=9"]).stdout != again
    assert "has" in run([PROGRAM, "data", "tiny", "--first", "99999999", *options], status=64).stderr


def test_an_alert_runs_a_command_with_the_event():
    told = os.path.join(FOLDER, "told.json")
    # A text that is nearly all the same letter: the few other places are a surprise.
    text = os.path.join(FOLDER, "nearly-all-a.txt")
    with open(text, "w") as file:
        file.write("a" * 16 * 200 + "".join(chr(98 + i * i % 23) for i in range(16 * 4)) + "a" * 16 * 100)
    run([PROGRAM, "train", "tiny", "--name", "alarmed", "--runs", RUNS, "--data", text, "--threads", "1", "--steps", "300",
         "--headless", "--set", "data.heldOut=0", "--set", "model.width=16", "--set", "model.heads=1", "--set",
         "model.keyValueHeads=1", "--set", "model.inner=16", "--set", "model.blocks=1", "--set", "model.context=16", "--set",
         "batch.rows=1", "--set", "schedule.rate=0.01", "--set", "save.every=0", "--set", "sample.every=0", "--on-alert",
         f"cat >> {told}"])
    wait_until(lambda: os.path.exists(told) and os.path.getsize(told) > 0, "the command to be told")
    events = [json.loads(line) for line in open(told)]
    assert all(event["event"] == "occurrence" and event["kind"] in ("alert", "diverged") for event in events), events
    kinds = {event.get("kind") for event in objects(command("inspect", "alarmed", "events"))}
    assert {event["kind"] for event in events} <= kinds, (events, kinds)


def test_an_empty_command_for_alerts_is_refused():
    assert "--on-alert is empty" in run(train("none", "--on-alert", " "), status=64).stderr


def test_what_was_chosen_is_remembered_and_a_broken_file_is_said():
    folder = os.path.join(FOLDER, "config")
    path = os.path.join(folder, "foretop", "preferences.yaml")
    environment = {"XDG_CONFIG_HOME": folder}
    inspect = [PROGRAM, "inspect", "first", "--runs", stored()]
    with Terminal(inspect, 120, 36, env=environment) as terminal:
        terminal.wait_for("smooth 0.90")
        terminal.type("+")
        terminal.wait_for("smooth 0.95")
        terminal.type("x")
        terminal.wait_for("x tokens")
        terminal.leave()
    text = open(path).read()
    assert "smoothing: 0.95" in text and "x: tokens" in text and "palette" not in text
    with Terminal(inspect, 120, 36, env=environment) as terminal:
        terminal.wait_for("smooth 0.95")
        terminal.wait_for("x tokens")
        terminal.leave()
    with open(path, "w") as file:
        file.write("smoothing: much\n")
    with Terminal([PROGRAM, "browse", "--runs", stored()], 120, 36, env=environment) as terminal:
        terminal.wait_for("smoothing must be a number")
        terminal.leave()
    assert open(path).read() == "smoothing: much\n"


def test_true_colours_reach_a_terminal_of_256():
    inspect = [PROGRAM, "inspect", "first", "--runs", stored()]
    for arguments, environment, is_true in ((["--color", "truecolor"], {}, True), ([], {"COLORTERM": "truecolor"}, True),
                                            ([], {}, False)):
        with Terminal(inspect + arguments, 120, 36, env=environment) as terminal:
            terminal.wait_for("losses")
            terminal.wait_for("first")
            terminal.leave()
            assert (b"38;2;" in terminal.raw) == is_true, (arguments, environment)
            assert not is_true or b"38;5;" not in terminal.raw


def test_a_light_background_is_asked_for():
    with Terminal([PROGRAM, "inspect", "first", "--runs", stored(), "--color", "truecolor"], 120, 36) as terminal:
        terminal.wait_for("losses")
        assert b"\x1b]11;?" in terminal.raw
        terminal.type("\x1b]11;rgb:ffff/ffff/eeee\x1b\\")
        # Okabe's blue on a light background.
        terminal.wait_for(lambda _: b"38;2;0;94;158" in terminal.raw)
        terminal.leave()
    with Terminal([PROGRAM, "inspect", "first", "--runs", stored(), "--no-light"], 120, 36) as terminal:
        terminal.wait_for("losses")
        assert b"\x1b]11;?" not in terminal.raw
        terminal.leave()


def test_characters_that_a_locale_lacks_are_refused_in_words():
    with Terminal([PROGRAM, "inspect", "first", "--runs", stored()], 100, 30, env={"LC_ALL": "C"}) as terminal:
        terminal.wait_for("losses")
        terminal.type("b")
        terminal.wait_for("nothing but ASCII")
        terminal.leave()


def test_a_frame_is_shown_as_a_whole():
    with Terminal([PROGRAM, "tensors", "first", "--runs", stored()], 120, 36) as terminal:
        terminal.wait_for("lm_head")
        terminal.type("jjjj")
        terminal.wait_for(re.compile("▸ +(?!model/embed_tokens)"))
        terminal.leave()
        frames = re.compile(re.escape(FRAME_BEGINS) + b".*?" + re.escape(FRAME_ENDS), re.DOTALL)
        assert len(frames.findall(terminal.raw)) > 1
        assert b"lm_head" not in frames.sub(b"", terminal.raw), "a part of a frame was shown by itself"
        terminal.assert_restored()


def test_the_mouse_chooses_and_zooms_and_is_given_back():
    with Terminal([PROGRAM, "tensors", "first", "--runs", stored()], 120, 36) as terminal:
        terminal.wait_for(re.compile("▸ +model/embed_tokens"))
        assert b"\x1b[?1000h" in terminal.raw and b"\x1b[?1006h" in terminal.raw
        row = next(index for index, line in enumerate(terminal.text.split("\n")) if "lm_head" in line)
        # Buttons are numbered from 0, cells from 1; the release that follows chooses nothing.
        terminal.type(f"\x1b[<0;10;{row + 1}M\x1b[<0;10;{row + 1}m")
        terminal.wait_for(re.compile("▸ +lm_head"))
        terminal.type("\x1b[<64;10;10M")
        terminal.wait_for(re.compile("▸ +model/norm"))
        terminal.leave()
        terminal.assert_restored()
    with Terminal([PROGRAM, "tensors", "first", "--runs", stored(), "--no-mouse"], 120, 36) as terminal:
        terminal.wait_for("tensors   first")
        terminal.leave()
        assert b"?1000h" not in terminal.raw
    # A terminal whose description has no mouse is not asked for one.
    with Terminal([PROGRAM, "tensors", "first", "--runs", stored()], 120, 36, env={"TERM": "vt100"}) as terminal:
        terminal.wait_for("tensors   first")
        terminal.leave()
        assert b"?1000" not in terminal.raw
