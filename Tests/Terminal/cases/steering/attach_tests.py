"""Runs that another process trains: attached screens, runs in the background, and what is left when one of them is killed."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess

from control_tests import control, stop, tell, training
from support import *
from waiting import is_there


def attach(name, *options, columns=110, rows=30):
    """A screen on a run that another process trains."""
    terminal = Terminal(command("attach", name, *options), columns, rows)
    terminal.wait_for("attached")
    terminal.wait_for(lambda terminal: (terminal.step or 0) >= 1)
    return terminal


@contextlib.contextmanager
def in_background(name, *options):
    """A run that was begun with --detach; gives what the command said, and the number of the process that trains."""
    said = run(train(name, "--detach", *(options or ENDLESS)))
    process = int(re.search(r"process (\d+)", said.stdout)[1])
    try:
        yield said.stdout, process
    finally:
        end(process)


def resume_in_background(name):
    """Resumes a run with --detach, stops it from elsewhere, and verifies it."""
    said = run(command("resume", name, "--detach", "--threads", "1")).stdout
    process = int(re.search(r"process (\d+)", said)[1])
    try:
        tell(name, "stop")
        wait_until(lambda: not is_there(process), "it ends")
    finally:
        end(process)
    run(command("verify", name))


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def test_screens_on_another_process_steer_and_see_who_did_what():
    with training("shared") as process:
        with attach("shared") as one, attach("shared") as two:
            for screen in (one, two):
                screen.wait_for(lambda screen: (screen.step or 0) >= 3)
            one.type(" ")
            for screen in (one, two):
                screen.wait_for("paused")
                screen.wait_for(f"(attached {one.process.pid})")
            two.type(":rate x0.5\r")
            for screen in (one, two):
                # The first ten steps are the warm-up.
                warmup = r"(; the warm-up goes on to \S+ at step 11)?"
                screen.wait_for(re.compile(rf"rate \S+ → [^\s;]+{warmup}  \(attached {two.process.pid}\)"))
            one.type(":rate fast\r")
            one.wait_for("is not a rate")
            one.type("\x1b")
            tell("shared", "note", "from elsewhere")
            for screen in (one, two):
                screen.wait_for("from elsewhere  (tell)")
            # Who leaves disturbs nobody, and neither does who is killed.
            one.leave()
            one.assert_restored()
            two.process.kill()
            two.process.wait()
        tell("shared", "go")
        stop("shared", process)
    changes = [event for event in events("shared", "occurrence") if event["actor"].startswith("attached")]
    assert [change["kind"] for change in changes] == ["pause", "rate"], changes
    assert changes[0]["actor"] == f"attached {one.process.pid}" and changes[1]["actor"] == f"attached {two.process.pid}"


def test_an_attached_screen_has_the_history_from_the_beginning():
    with training("long", "--steps", "1000000", "--set", "evaluate.every=5", "--set", "save.every=0", "--set", "sample.every=0"):
        paused = json.loads(tell("long", "pause", options=["--json"]).stdout)["step"]
        tell("long", "note", "the first")
        # The next evaluation but one, and a few steps more.
        last = (paused // 5 + 2) * 5
        tell("long", "until", str(last + 2))
        wait_until(lambda: state("long")["step"] >= last + 2, "it has taken some steps")
        with attach("long", rows=40) as screen:
            screen.wait_for(re.compile(rf"step {last}  held-out ntp.*\n.*is reached, paused"))
            # Each line is there once, although the files and the process both tell of it: the oldest is some lines further up.
            screen.type("k" * 2)
            screen.wait_for(re.compile(rf"goes on  \(tell\).*\n.*step {last - 5}  held-out ntp"))
            screen.type("k")
            screen.wait_for(re.compile(r"note: the first  \(tell\).*\n.*goes on  \(tell\)"))
            screen.leave()


def listed(screen):
    """The steps in the list of checkpoints on a screen, the newest first."""
    lines = screen.text.splitlines()
    for number, line in enumerate(lines):
        place = line.find("step      held-out")
        if place >= 0:
            steps = (row[place:place + 10].replace(" ", "") for row in lines[number + 1:])
            return [int(step) for step in itertools.takewhile(str.isdigit, steps)]
    return []


def test_attached_screens_list_the_checkpoints_and_follow_the_branch():
    with training("forked") as process:
        tell("forked", "pause")
        first = json.loads(tell("forked", "save", options=["--json"]).stdout)["step"]
        with attach("forked") as one, attach("forked") as two:
            one.type("r")
            one.wait_for(lambda screen: listed(screen) == [first])
            # What is saved meanwhile joins the list.
            tell("forked", "step", "2")
            tell("forked", "save")
            one.wait_for(lambda screen: listed(screen) == [first + 2, first])
            one.type("j\r")
            for screen in (one, two):
                screen.wait_for(re.compile(r"attached  forked~2  ● training"))
            one.wait_for(lambda screen: (screen.step or 0) > first)
            # Both steer it, and hear of each other.
            two.type(" ")
            for screen in (one, two):
                screen.wait_for(re.compile(rf"paused  \(attached {two.process.pid}\)"))
            one.type("r")
            one.wait_for(lambda screen: listed(screen) == [first])
            # Another key right behind the escape would make one key of both.
            one.type("\x1b")
            one.wait_for(lambda screen: not listed(screen))
            one.leave()
            two.leave()
        stop("forked~2", process)
    assert [event["actor"] for event in occurrences("forked", "branch")] == [f"attached {one.process.pid}"]
    assert state("forked")["state"] == "stopped" and state("forked~2")["state"] == "stopped"


def test_an_attached_screen_outlives_the_process_that_trains():
    with training("killed") as process:
        tell("killed", "save")
        with attach("killed") as screen, attach("killed"), attach("killed"):
            process.kill()
            screen.wait_for("without a word")
            screen.wait_for("interrupted")
            screen.type(" ")
            screen.wait_for("stored run, not trained now")
            # Another process goes on with it; this one is heard, and steered.
            with subprocess.Popen(
                    command("resume", "killed", "--headless", "--threads", "1"), stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL) as next_process:
                screen.wait_for("goes on with the run")
                screen.type(" ")
                screen.wait_for("paused")
                screen.leave()
                stop("killed", next_process)
    run(command("verify", "killed"))


def test_a_screen_that_stands_still_misses_nothing():
    small = ("model.width=16", "model.inner=16", "model.blocks=1", "model.heads=1", "model.keyValueHeads=1", "model.context=8",
             "batch.rows=1", "tokenizer.kind=bytes", "evaluate.every=0", "save.every=0", "sample.every=0")
    with training("quick", "--steps", "10000000", *(word for change in small for word in ("--set", change))) as process:
        with attach("quick") as screen:
            os.kill(screen.process.pid, signal.SIGSTOP)
            step = json.loads(tell("quick", "note", "unseen", options=["--json"]).stdout)["step"]
            # More than the run's process holds and the connection takes: what comes of them is in the files alone.
            tell("quick", "until", str(step + 20000))
            wait_until(lambda: state("quick")["step"] >= step + 20000, "it has taken many steps")
            os.kill(screen.process.pid, signal.SIGCONT)
            screen.wait_for("is reached, paused")
            screen.wait_for(re.compile(r"note: unseen  \(tell\)"))
            screen.wait_for(lambda screen: screen.step == step + 20000)
            # It goes on live, and steers.
            screen.type(" ")
            screen.wait_for(re.compile(rf"goes on  \(attached {screen.process.pid}\)"))
            screen.leave()
        stop("quick", process)


def test_kill_of_a_run_in_the_background_blocks_nothing():
    with in_background("felled") as (_, process):
        tell("felled", "save")
        wait_until(lambda: checkpoints("felled"), "a checkpoint is stored")
        with attach("felled") as screen:
            os.kill(process, signal.SIGKILL)
            screen.wait_for("without a word")
            screen.leave()
    assert state("felled")["state"] == "interrupted"
    assert "left by a process that was killed" in tell("felled", "go", status=69).stderr
    resume_in_background("felled")


def test_a_run_that_is_being_set_up_is_told_and_attached_to():
    def set_up():
        return training(
            "hasty", *ENDLESS, "--set", "tokenizer.kind=sentencepiece", "--set", "tokenizer.vocabulary=2000", "--set",
            "data.heldOut=0.5", data=long_text(lines=30_000), ready=lambda name: os.path.exists(control(name)),
            env={**os.environ, "XDG_CACHE_HOME": os.path.join(FOLDER, "cache-hasty")})

    # Stopped at once: nothing is left, and the name is free.
    with set_up() as process:
        stopped = tell("hasty", "stop")
        assert "stopped before the first step" in stopped.stdout and "is being set up" in stopped.stderr, stopped
        assert process.wait(PATIENCE) == 0
        assert not os.path.exists(os.path.join(RUNS, "hasty"))
    with set_up() as process:
        with Terminal(command("attach", "hasty"), 110, 30) as screen:
            screen.wait_for("is being set up")
            told = tell("hasty", "note", "early")
            assert "is being set up" in told.stderr and "early" in told.stdout, told
            screen.wait_for("attached")
            screen.wait_for("early  (tell)")
            screen.leave()
        stop("hasty", process)
    run(command("verify", "hasty"))


def test_nobody_is_attached_to_where_nobody_trains():
    run(train("over", "--headless", "--steps", "2"))
    terminal = Terminal(command("attach", "over"))
    assert terminal.finish() == 69
    assert "no process trains run “over”" in terminal.text, terminal.text
    assert "there is no run" in run(command("attach", "nowhere"), 66).stderr
    with training("lines") as process:
        lines = subprocess.Popen(command("attach", "lines"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        wait_until(lambda: "step" in lines.stdout.readline(), "lines come")
        stop("lines", process)
        lines.communicate(timeout=PATIENCE)
        assert lines.returncode == 0


def test_without_a_socket_the_screen_is_read_only():
    with training("deaf") as process:
        os.remove(control("deaf"))
        terminal = Terminal(command("attach", "deaf"))
        with terminal:
            terminal.wait_for("read only")
            terminal.type(" ")
            terminal.wait_for("another process trains this run")
            terminal.leave()
        process.send_signal(signal.SIGTERM)
        process.wait()


def test_enter_on_the_runs_screen_attaches():
    with training("entered") as process:
        with Terminal(command("browse"), 120, 36) as terminal:
            terminal.wait_for("entered")
            terminal.type("/state=training\r")
            terminal.wait_for(re.compile(r" 1 of \d+ runs"))
            terminal.wait_for(re.compile("▸ ● entered"))
            terminal.type("\r")
            terminal.wait_for(re.compile(r"attached  entered  ● training  (?:step )?\d"))
            terminal.type(" ")
            terminal.wait_for(f"(attached {terminal.process.pid})")
            terminal.type("q")
            terminal.wait_for("enter")
            terminal.leave()
        stop("entered", process)
