"""The screen: what it shows, what keys do, and sizes."""

import contextlib
import os
import re
import time

from support import *


def test_a_run_shows_its_panels():
    with begin("panels") as terminal:
        for word in ("panels", "losses", "rate", "ntp", "quit"):
            terminal.wait_for(word)
        terminal.wait_for("training")


def test_space_pauses_and_goes_on_and_a_point_takes_one_step():
    with begin("pause") as terminal:
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.wait_for(lambda _: occurrences("pause", "pause"))
        step = occurrences("pause", "pause")[0]["step"]
        for further in (1, 2):
            terminal.type(".")
            terminal.wait_for(lambda _: len(occurrences("pause", "pause")) == further + 1)
        terminal.wait_for(lambda terminal: terminal.step == step + 2)
        terminal.type(" ")
        terminal.wait_for(lambda terminal: terminal.step > step + 3)
    # A run that does not stand still would have come further by the second point, and a point of two steps too.
    pauses = [event["step"] for event in occurrences("pause", "pause")]
    assert pauses == [step, step + 1, step + 2], pauses


@contextlib.contextmanager
def paused(name):
    """A run on a terminal that waits."""
    with begin(name) as terminal:
        terminal.type(" ")
        terminal.wait_for("paused")
        yield terminal


def test_keys_change_the_rate_and_the_file_says_so():
    with paused("rate") as terminal:
        terminal.type("]")
        terminal.wait_for(lambda _: len(occurrences("rate", "rate")) == 1)
        terminal.type("{")
        terminal.wait_for(lambda _: len(occurrences("rate", "rate")) == 2)
        terminal.type("qs")
        assert terminal.finish() == 0
    up, down = occurrences("rate", "rate")
    assert abs(up["new"] / up["old"] - 1.1) < 1e-6, up
    assert abs(down["new"] / down["old"] - 0.5) < 1e-6, down
    assert up["actor"] == "key"


def test_w_changes_a_weight_and_a_resumed_run_keeps_it():
    with paused("weights") as terminal:
        terminal.type("w\x1b[Bx0.5\r")
        terminal.wait_for(lambda _: len(occurrences("weights", "weight")) == 1)
        terminal.type(" ")
        terminal.wait_for("training")
        terminal.type("qs")
        assert terminal.finish() == 0
    change = occurrences("weights", "weight")[0]
    assert (change["key"], change["old"], change["new"], change["actor"]) == ("top", 1, 0.5, "key"), change
    # What is left out of the next session would come out with the recipe's weight.
    step = state("weights")["step"]
    run(command("resume", "weights", "--headless", "--steps", str(step + 2)))
    last = [event for event in events("weights", "step") if event["step"] > step]
    for event in last:
        loss = event["loss"]
        assert abs(loss["total"] - loss["ntp"] - 0.5 * loss["top"]) < 1e-4, event
    assert len(last) == 2, last


def test_a_rate_can_be_typed_or_pasted_and_nonsense_is_refused():
    # While the schedule warms up, a typed rate would be a question.
    with begin("typed", *ENDLESS, "--set", "schedule.warmup=0") as terminal:
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.type("lfast\r")
        terminal.wait_for("is not a rate")
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "is not a rate" not in terminal.text)
        terminal.type("l5e-4\r")
        terminal.wait_for(lambda _: len(occurrences("typed", "rate")) == 1)
        terminal.type("l\x1b[200~7e-4\x1b[201~\r")
        terminal.wait_for(lambda _: len(occurrences("typed", "rate")) == 2)
    changes = occurrences("typed", "rate")
    assert abs(changes[0]["new"] - 5e-4) < 1e-9, changes
    assert abs(changes[1]["new"] - 7e-4) < 1e-9, changes


def test_quitting_asks_and_escape_goes_back():
    with begin("quit") as terminal:
        terminal.type("q")
        terminal.wait_for(re.compile("abandon"))
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "abandon" not in terminal.text)
        step = terminal.step
        terminal.wait_for(lambda terminal: terminal.step > step)
        terminal.type("q")
        terminal.wait_for("abandon")
        terminal.type("s")
        assert terminal.finish() == 0
        terminal.assert_restored()
        assert "quit  stopped at step" in terminal.after, terminal.after
        assert "foretop resume quit" in terminal.after, terminal.after
    assert state("quit")["state"] == "stopped"
    assert len(checkpoints("quit")) == 1


def test_abandoning_saves_nothing():
    with begin("abandon") as terminal:
        terminal.type("q")
        terminal.wait_for("abandon")
        terminal.type("a")
        assert terminal.finish() == 0
        terminal.assert_restored()
    assert state("abandon")["state"] == "abandoned"
    assert checkpoints("abandon") == []


def test_a_save_an_evaluation_and_a_text_come_when_asked_for():
    with begin("asked") as terminal:
        terminal.type("seg")
        terminal.wait_for(lambda _: checkpoints("asked"))
        terminal.wait_for(lambda _: events("asked", "heldout") and events("asked", "text"))


def test_help_lists_the_keys():
    with begin("help", columns=120, rows=36) as terminal:
        terminal.type("?")
        terminal.wait_for(re.compile("(?i)pause"))
        terminal.wait_for(re.compile("(?i)learning rate|rate"))
        shown = terminal.text
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: terminal.text != shown and "losses" in terminal.text)


def wait_until_over(terminal):
    terminal.wait_for("q leaves")
    # The file is closed a moment after the last step.
    terminal.wait_for(lambda _: "training" != (state(terminal.name) or {}).get("state"))


def test_a_finished_run_stays_on_the_screen_until_it_is_left():
    for name, leave in (
        ("over-key", lambda terminal: terminal.type("q")),
        ("over-ctrl-c", lambda terminal: terminal.type("\x03")),
        ("over-term", lambda terminal: terminal.signal(15)),
    ):
        with Terminal(train(name, "--steps", "30")) as terminal:
            terminal.name = name
            wait_until_over(terminal)
            # It is there to be used.
            terminal.type("?")
            terminal.wait_for("continue the training")
            terminal.type("\x1b")
            terminal.wait_for(lambda terminal: "continue the training" not in terminal.text)
            assert state(name)["state"] == "finished"
            leave(terminal)
            assert terminal.finish() == 0
            terminal.assert_restored()
            assert "finished at step 30 of 30" in terminal.after, terminal.after


def test_a_terminal_that_hangs_up_after_the_end_is_left():
    with Terminal(train("over-hangup", "--steps", "30")) as terminal:
        terminal.name = "over-hangup"
        wait_until_over(terminal)
        terminal.signal(1)
        assert terminal.finish() == 0
    assert state("over-hangup")["state"] == "finished"


def test_what_start_up_does_is_said_and_can_be_left_at_once():
    for name, leave, status in (
        ("start-keys", lambda terminal: terminal.type("qs"), 0),
        ("start-ctrl-c", lambda terminal: terminal.type("\x03"), 130),
        ("start-term", lambda terminal: terminal.signal(15), 143),
    ):
        options = ["--set", "tokenizer.kind=sentencepiece", "--set", "tokenizer.vocabulary=2000"]
        with Terminal(train(name, *options, data=long_text(lines=30_000))) as terminal:
            terminal.wait_for("training a tokenizer of 2000 pieces")
            leave(terminal)
            assert terminal.finish() == status
            terminal.assert_restored()
            assert "stopped before the first step" in terminal.after, terminal.after
        assert state(name) is None, "a run was begun"


def test_every_size_is_shown():
    sizes = [(120, 36), (80, 24), (60, 16), (40, 12), (20, 4), (10, 2), (1, 1), (250, 80), (80, 24)]
    with begin("sizes") as terminal:
        for columns, rows in sizes:
            drawn = len(terminal.raw)
            terminal.resize(columns, rows)
            if columns >= 40:
                terminal.wait_for(lambda terminal: terminal.step)
            elif columns >= 20:
                terminal.wait_for("training")
            else:
                terminal.wait_for(lambda terminal: len(terminal.raw) > drawn)
            assert terminal.process.poll() is None
        terminal.wait_for("losses")
        terminal.interrupt()


def test_a_saved_layout_is_drawn_and_a_bad_one_is_only_told_of():
    path = os.path.join(FOLDER, "mine.yaml")
    layout = """
name: mine
key: 9
variants:
  - fits: 80x24
    columns: [1]
    rows: [1c, 1, 4c, 1c]
    areas: |
      status
      %s
      events
      keys
"""
    def save(panel, age):
        # As editors do it, and another second each time: a file system may keep whole seconds only.
        with open(path + ".new", "w") as file:
            file.write(layout % panel)
        os.utime(path + ".new", (time.time() - age,) * 2)
        os.rename(path + ".new", path)

    save("losses", 20)
    with begin("layout", *ENDLESS, "--layout", path) as terminal:
        terminal.wait_for(lambda terminal: "losses" in terminal.text and "throughput" not in terminal.text)
        save("throughput", 10)
        terminal.wait_for(lambda terminal: "throughput" in terminal.text and "losses" not in terminal.text)
        save("looses", 0)
        terminal.wait_for(re.compile("mine.yaml:10"))
        step = terminal.step
        terminal.wait_for(lambda terminal: terminal.step > step)


def test_what_libraries_print_does_not_tear_the_screen():
    with begin("torn", *ENDLESS, env={"ONEDNN_VERBOSE": "1", "DNNL_VERBOSE": "1"}) as terminal:
        terminal.wait_for(re.compile("onednn_verbose|dnnl_verbose"))
        step = terminal.step
        terminal.wait_for(lambda terminal: terminal.step > step + 20)
        lines = terminal.text.splitlines()
        assert "training" in lines[0], terminal.text
        assert all("verbose" not in line or re.match(r"\W*\d\d:\d\d:\d\d", line) for line in lines), terminal.text


def test_unknown_sequences_do_nothing():
    with begin("unknown") as terminal:
        for sequence in ("\x1b[99;99~", "\x1bOz", "\x1b[<0;10;10M", "\x1b[1;9Q", "\x1b[?1;2c", "\x1bq", "\x1b]11;rgb:0/0/0\x07"):
            terminal.type(sequence)
            terminal.wait_for(lambda terminal: terminal.unread == 0)
        # What is no UTF-8 may take a key with it that comes at the same moment.
        terminal.type(b"\xff\xfe\x80")
        terminal.wait_for(lambda terminal: terminal.unread == 0)
        # Keys come in order: when this one is obeyed, those before it are done.
        terminal.type("?")
        terminal.wait_for(re.compile("continue the training|abandon"))
        assert "continue the training" in terminal.text, terminal.text
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "continue the training" not in terminal.text)
        step = terminal.step
        terminal.wait_for(lambda terminal: terminal.step > step)


def test_random_keys_and_resizes_crash_nothing():
    draw = draws("keys and resizes")
    keys = [chr(code) for code in range(32, 127)] + ["\r", "\t", "\x7f", "\x0c", "\x1b", "\x1b[A", "\x1b[B", "\x1b[C",
            "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[5~", "\x1b[6~", "\x1b[Z", "\x1bOP", "\x1b[200~x\x1b[201~", "é", "漢"]
    left = 400
    for session in range(20):
        name = f"random-{session}"
        trainers = set()
        try:
            with Terminal(train(name, *ENDLESS), 80, 24) as terminal:
                while left > 0 and terminal.process.poll() is None:
                    left -= 1
                    trainers.add(trainer(terminal.process))
                    try:
                        if draw.random() < 0.1:
                            terminal.resize(draw.randint(1, 200), draw.randint(1, 60))
                        terminal.type(draw.choice(keys))
                    except OSError:
                        break
                    terminal.read(draw.choice((0, 0, 0.02)))
                if left == 0:
                    # A program that has hardly begun has no handlers yet.
                    wait_until(
                        lambda: (terminal.read(), b"\x1b[?1049h" in terminal.raw or terminal.process.poll() is not None)[1],
                        "the program has the screen")
                    terminal.resize(80, 24)
                    terminal.signal(2)
                status = terminal.finish()
                # Some keys ask to quit.
                assert status in (0, 130), f"{name} ended with {status}\n{terminal.after}"
                terminal.assert_restored()
        finally:
            # Some keys send the run to the background, and some before them make a branch of it, which has another name.
            end_left(trainers)
        if left == 0:
            return


def test_no_colour_is_used_where_none_is_wanted():
    for env, options in (({"NO_COLOR": "1"}, []), ({}, ["--color", "never"])):
        name = f"mono-{len(options)}"
        with begin(name, *ENDLESS, *options, env=env) as terminal:
            assert not re.search(rb"\x1b\[(\d+;)*3[0-8](;\d+)*m", terminal.raw), "a colour was set"
    with begin("colour") as terminal:
        assert re.search(rb"\x1b\[[\d;]*38;5;\d+", terminal.raw), "no colour was set"


def test_a_locale_without_utf8_gets_ascii():
    with begin("ascii", *ENDLESS, env={"LANG": "C", "LC_ALL": "C"}) as terminal:
        terminal.wait_for("losses")
        assert terminal.raw.isascii(), "a byte above 127 was printed"


def test_a_stored_run_is_shown_on_the_same_panels():
    run(train("stored", "--steps", "60", "--headless"))
    with Terminal(command("inspect", "stored")) as terminal:
        terminal.wait_for("losses")
        terminal.wait_for("finished")
        terminal.leave()
        terminal.assert_restored()
