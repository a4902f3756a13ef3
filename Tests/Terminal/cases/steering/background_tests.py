"""Runs in the background: detached at the start, by a key or from elsewhere, and the process that a shell waits for."""

import os
import signal

from attach_tests import attach, end, in_background, resume_in_background
from control_tests import tell
from support import *
from waiting import is_there


def session_of(process):
    with open(f"/proc/{process}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[3])


def test_a_run_in_the_background_has_a_session_and_a_log():
    with in_background("away") as (said, process):
        assert "foretop attach away" in said, said
        assert session_of(process) == process
        wait_until(lambda: (state("away")["step"] or 0) >= 5, "it goes on")
        # Neither the end of a terminal nor that of the command is its end.
        os.kill(process, signal.SIGHUP)
        tell("away", "step", "5")
        log = os.path.join(RUNS, "away", "log")
        wait_until(lambda: "step" in open(log).read(), "lines are in the log")
        tell("away", "stop")
        wait_until(lambda: not is_there(process), "it ends")
    assert state("away")["state"] == "stopped"
    assert "stopped at step" in open(log).read()
    resume_in_background("away")
    run(command("rm", "away", "--yes"))
    assert not os.path.exists(os.path.join(RUNS, "away"))


def test_a_run_that_cannot_begin_says_so_before_it_is_in_the_background():
    failed = run(train("broken", "--detach", "--set", "model.width=7"), 64)
    assert failed.stderr, failed
    missing = run([PROGRAM, "train", "tiny", "--name", "broken", "--runs", RUNS, "--data", "/nowhere", "--detach"], 66)
    assert "/nowhere" in missing.stderr and not os.path.exists(os.path.join(RUNS, "broken")), missing
    both = run(train("broken", "--detach", "--json"), 64)
    assert "exclude" in both.stderr, both
    # A run that is over before it is in the background is one that ended well.
    assert run(train("short", "--detach", "--steps", "1")).stdout
    wait_until(lambda: state("short")["state"] == "finished", "it is over")


def test_q_d_gives_the_shell_back_and_the_run_goes_on():
    with begin("left") as terminal:
        process = trainer(terminal.process)
        assert process != terminal.process.pid
        terminal.type("qd")
        try:
            assert terminal.finish() == 0
            terminal.assert_restored()
            assert "foretop attach left" in terminal.after, terminal.after
            assert is_there(process) and session_of(process) == process
            step = state("left")["step"]
            wait_until(lambda: state("left")["step"] > step, "it goes on")
            with attach("left") as screen:
                screen.type(":stop\r")
                screen.wait_for("stopped after saving")
                screen.leave()
            wait_until(lambda: not is_there(process), "it ends")
        finally:
            end(process)
    summary = state("left")
    assert summary["state"] == "stopped" and checkpoints("left") == [summary["step"]], summary
    assert {event["key"]: event["actor"] for event in occurrences("left", "done")}["detach"] == "key"


def test_a_run_is_taken_off_its_terminal_from_elsewhere():
    with begin("taken") as terminal:
        process = trainer(terminal.process)
        try:
            assert "detach: done" in tell("taken", "detach").stdout
            assert terminal.finish() == 0
            terminal.assert_restored()
            again = tell("taken", "detach", status=1)
            assert "in the background already" in again.stderr, again
            tell("taken", "stop")
            wait_until(lambda: not is_there(process), "it ends")
        finally:
            end(process)


def test_kill_of_the_process_that_the_shell_waits_for_is_the_end_of_the_run():
    with begin("both") as terminal:
        process = trainer(terminal.process)
        terminal.type("s")
        wait_until(lambda: checkpoints("both"), "a checkpoint is stored")
        terminal.process.kill()
        terminal.process.wait()
        wait_until(lambda: not is_there(process), "nothing is left")
    assert state("both")["state"] == "interrupted", state("both")
    # What is left blocks nobody.
    run(command("resume", "both", "--headless", "--steps", str(state("both")["step"] + 1), "--threads", "1"))


def test_a_shell_stops_and_continues_a_run():
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"], env={"PS1": "prompt> "})
    with shell:
        shell.wait_for("prompt>")
        words = " ".join(f"'{word}'" for word in train("jobs", *ENDLESS))
        shell.type(words + "; echo status $?\r")
        shell.wait_for(lambda shell: (shell.step or 0) >= 2)
        shell.type("\x1a")
        shell.wait_for("Stopped")
        shell.type("fg\r")
        step = state("jobs")["step"]
        shell.wait_for(lambda shell: (shell.step or 0) > step)
        shell.type("\x1a")
        shell.wait_for("Stopped")
        shell.type("bg\r")
        wait_until(lambda: (shell.read(), state("jobs")["step"] > step + 2)[1], "it goes on behind the shell")
        shell.type("fg\r")
        shell.wait_for("● training")
        shell.type("\x03")
        shell.wait_for("stopped at step")
        shell.type("exit\r")
        shell.finish()
    assert state("jobs")["state"] == "stopped"
