"""A text of one's own: what the heads expect after it, on every screen of a run. And what a flood of keys may cost."""

import os
import re
import time

from support import *

HEADS = ["--set", "model.blocks=4", "--set", "objective.mtp.heads=3", "--set", "objective.top=1"]


def ask(terminal, text):
    terminal.type("t")
    terminal.wait_for("enter ask")
    terminal.type(text + "\r")
    return terminal.wait_for(re.compile(r"answer of step (\d+)"))


def test_a_text_is_asked_about_while_it_trains_and_while_it_waits():
    with begin("asked", *ENDLESS, *HEADS, columns=120, rows=36) as terminal:
        first = int(ask(terminal, "the son of ")[1])
        assert "mtp-2" in terminal.text and "mtp-3" in terminal.text and "soon" in terminal.text, terminal.text
        assert re.search(r"next +p", terminal.text), terminal.text
        # The step moves on below: asked again, the answer is another one, and that of before stands beside it.
        terminal.wait_for(lambda terminal: (terminal.step or 0) > first + 20)
        terminal.type("\r")
        terminal.wait_for(lambda terminal: re.search(r"answer of step (?!%d\b)" % first, terminal.text))
        terminal.wait_for("before")
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "enter ask" not in terminal.text)
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.type("t")
        terminal.wait_for("the son of")
        terminal.type("\x15lord\r")
        terminal.wait_for(re.compile(r"after +…?lord"))
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "enter ask" not in terminal.text)
        terminal.type("qs")
        assert terminal.finish() == 0
    assert len([line for line in occurrences("asked", "notice") if line.get("key") == "ask"]) == 3
    assert all("expectation" not in line for line in occurrences("asked", "notice"))


def test_another_screen_asks_the_process_that_trains():
    trainer = going_on("asked-attached", 5)
    try:
        with Terminal(command("attach", "asked-attached"), 100, 30) as terminal:
            terminal.wait_for("attached")
            ask(terminal, "and the ")
            assert re.search(r"after +…?and the", terminal.text), terminal.text
            terminal.type("\x1b")
            terminal.wait_for(lambda terminal: "enter ask" not in terminal.text)
            terminal.leave()
            terminal.assert_restored()
    finally:
        trainer.kill()
        trainer.wait()


def test_a_stored_runs_checkpoints_are_asked():
    run(train("asked-stored", "--steps", "40", "--set", "save.every=20", "--set", "evaluate.every=0", "--headless", *HEADS))
    with Terminal(command("inspect", "asked-stored"), 120, 36) as terminal:
        terminal.wait_for("losses")
        assert ask(terminal, "the son of ")[1] == "40"
        terminal.type("\x1b[5~\r")
        terminal.wait_for("answer of step 20")
        terminal.type("\x1b[6~\r")
        terminal.wait_for("answer of step 40")
        newest = terminal.text
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "enter ask" not in terminal.text)
        terminal.leave()
        terminal.assert_restored()
    # The same as without a screen.
    told = run(command("ask", "asked-stored", "the son of ")).stdout
    first = re.search(r"ntp (\S+) (\.\d+|1\.00)", told)
    assert first[1] in newest, f"{told}\n{newest}"


def test_the_order_of_a_probe_is_compared_with_earlier_samples():
    run(train("compared-order", "--steps", "60", "--set", "sample.every=20", "--headless", *HEADS))
    with Terminal(command("inspect", "compared-order"), 120, 36) as terminal:
        terminal.wait_for("losses")
        terminal.type("2")
        terminal.wait_for(re.compile(r"rank +@20"))
        assert "mtp-2" in terminal.text, terminal.text
        terminal.type(",")
        terminal.wait_for(re.compile(r"rank +@40"))
        terminal.type(",")
        terminal.wait_for(re.compile(r"rank +@20"))
        terminal.type(".")
        terminal.wait_for(re.compile(r"rank +@40"))
        terminal.leave()


def processor_time(process):
    """Seconds of CPU of the thread that takes keys."""
    with open(f"/proc/{process}/task/{process}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def flood(name, keys):
    """Sends keys as fast as they are taken for some seconds; returns the share of a CPU that they cost."""
    with begin(name) as terminal:
        child = trainer(terminal.process)
        os.set_blocking(terminal.master, False)
        start, before = time.monotonic(), processor_time(child)
        while time.monotonic() - start < 2:
            terminal.read(0.005)
            try:
                os.write(terminal.master, keys)
            except BlockingIOError:
                pass
        share = (processor_time(child) - before) / (time.monotonic() - start)
        os.set_blocking(terminal.master, True)
        terminal.wait_for(lambda terminal: terminal.unread == 0)

        def answered():
            # An escape that is read together with what follows is another key: both are sent again then.
            terminal.type("\x1b")
            terminal.read(1)
            terminal.type(":note awake\r")
            terminal.read(1)
            return "note: awake" in terminal.text

        wait_until(answered, "the keyboard is there again")
        terminal.signal(15)
        terminal.finish()
        return share


def test_keys_that_flood_in_cost_a_small_share_of_a_cpu():
    for name, keys in (("nuls", bytes(4096)), ("letters", b"zxcvnm" * 700), ("paste", b"\x1b[200~" + b"word " * 4000)):
        share = flood(f"flooded-{name}", keys)
        # Without a bound a flood takes all of one; what it takes with the bound differs from machine to machine.
        assert share < 0.25, f"{name} took {share:.0%} of a CPU"
