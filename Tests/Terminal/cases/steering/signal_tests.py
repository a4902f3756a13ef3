"""Signals: what is saved, what goes on, and that the terminal is put back."""

import os
import re
import signal
import subprocess
import sys
import termios

from experiments import experiment
from support import *


def wait_until_stopped(terminal):
    def is_stopped():
        terminal.read()
        with open(f"/proc/{terminal.process.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    wait_until(is_stopped, "it stops")


def test_an_interrupt_saves_and_stops():
    with begin("int") as terminal:
        terminal.interrupt()
        assert "stopped at step" in terminal.after, terminal.after
    assert state("int")["state"] == "stopped"
    assert checkpoints("int")


def test_a_termination_saves_and_stops():
    with begin("term") as terminal:
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
        terminal.assert_restored()
    assert state("term")["state"] == "stopped"
    assert checkpoints("term")


def test_a_termination_of_the_list_ends_the_command_that_has_the_terminal_too():
    process = going_on("handed", 3)
    process.terminate()
    process.communicate()
    with Terminal(command("browse"), 120, 36) as terminal:
        terminal.wait_for("handed")
        terminal.type("/name=handed\r")
        terminal.wait_for(re.compile(r" 1 of \d+ runs?"))
        terminal.wait_for("▸ ‖ handed")
        terminal.type("r")
        terminal.wait_for("resume handed --runs")
        terminal.type("\r")
        terminal.wait_for(re.compile("foretop  handed  ● training"))
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143, terminal.text
        terminal.assert_restored()
    assert state("handed")["state"] == "stopped"
    assert [event["actor"] for event in occurrences("handed", "done") if event["key"] == "stop"][-1] == "signal"


def headless(name, *options, recipe="tiny", text=TEXT):
    """A run without a screen; its output is read from a pipe."""
    arguments = [PROGRAM, "train", recipe, "--name", name, "--runs", RUNS, "--data", text, "--threads", "1", "--headless"]
    return subprocess.Popen(
        [*arguments, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_termination_leaves_the_preparations_at_once():
    options = ["--set", "tokenizer.kind=sentencepiece", "--set", "tokenizer.vocabulary=8000"]
    process = headless("prepared", *options, text=long_text())
    let_compute(process, 0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 143 and "stopped before the first step" in output, output
    assert not os.path.exists(os.path.join(RUNS, "prepared"))


def test_a_termination_saves_and_stops_whatever_the_run_is_doing():
    endless = ["--steps", "1000000"]
    nothing = ["--set", "evaluate.every=0", "--set", "save.every=0", "--set", "sample.every=0"]
    bytes_of_text = ["--set", "tokenizer.kind=bytes"]
    phases = {
        # Each of these alone takes longer than anybody waits, but for saving.
        "evaluating": [*bytes_of_text, "--set", "evaluate.every=1", "--set", "data.heldOut=0.5"],
        "sampling": [*nothing, "--set", "sample.every=1"],
        "accumulating": [*bytes_of_text, *nothing, "--set", "batch.accumulation=60000"],
        "saving": [*nothing, "--set", "save.every=1"],
    }
    for name, options in phases.items():
        long = name in ("evaluating", "accumulating")
        process = headless(name, *endless, *options, text=long_text() if long else TEXT)
        begun = lambda: process.poll() is not None or os.path.exists(os.path.join(RUNS, name, "run.h5"))
        wait_until(begun, f"{name} begins")
        let_compute(process, 0.5)
        assert process.poll() is None, f"{name} ended with {process.returncode}: {process.stdout.read()}"
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 143, f"{name} ended with {process.returncode}: {output}"
        summary = state(name)
        assert summary["state"] == "stopped", f"{name}: {summary}"
        assert checkpoints(name)[-1] == (summary["step"] or 0), f"{name}: {checkpoints(name)}, {summary}"
        run(command("verify", name))


def takes(process, number):
    """Whether a process has a handler for a signal, or waits for it."""
    try:
        with open(f"/proc/{process.pid}/status") as file:
            masks = dict(line.split(":\t") for line in file.read().splitlines() if line.startswith("Sig"))
    except OSError:
        return False
    return any(int(masks[name], 16) >> number - 1 & 1 for name in ("SigCgt", "SigBlk"))


def test_a_termination_before_the_first_frame_ends_every_screen_as_one_after_it_does():
    for name, seed in (("early", "1"), ("early-b", "2")):
        run(train(name, "--steps", "20", "--set", "evaluate.every=10", "--seed", seed))
    live = going_on("early-live", 3)
    screens = {
        "runs": command("browse"), "the program without a command": [PROGRAM, "--runs", RUNS],
        "inspect": command("inspect", "early"), "show": command("show", "early"),
        "compare": command("compare", "early", "early-b"), "tensors": command("tensors", "early"),
        "data": [PROGRAM, "data", "tiny", "--data", TEXT, "--runs", RUNS], "attach": command("attach", "early-live"),
        "experiment": [*experiment("early-cells"), "--jobs", "1"], "train": train("early-train", *ENDLESS),
        "resume": command("resume", "early", "--steps", "100000"),
    }
    for name, arguments in screens.items():
        with Terminal(arguments) as terminal:
            # As soon as it takes signals, long before it has read what it shows.
            wait_until(
                lambda: takes(terminal.process, signal.SIGTERM) or terminal.process.poll() is not None,
                f"{name} takes signals", pause=0.001)
            terminal.signal(signal.SIGTERM)
            assert terminal.finish() == 143, (name, terminal.process.returncode, terminal.text)
            terminal.assert_restored()
    live.send_signal(signal.SIGTERM)
    live.communicate(timeout=PATIENCE)
    assert live.returncode == 143


def test_a_run_that_was_left_inside_a_step_goes_on_to_the_bit():
    options = ["--set", "tokenizer.kind=bytes", "--set", "batch.accumulation=40", "--set", "evaluate.every=0",
               "--set", "sample.every=0", "--set", "save.every=0"]
    run([*train("whole", "--headless", "--steps", "6", *options)])
    process = headless("left-inside", "--steps", "6", *options)
    wait_until(lambda: (state("left-inside") or {}).get("step"), "there is a step")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    run(command("resume", "left-inside", "--headless"), status=0 if state("left-inside")["state"] == "stopped" else 64)
    assert [event["loss"] for event in events("left-inside", "step")] == [event["loss"] for event in events("whole", "step")]


def test_an_interrupt_drops_nothing_that_was_drawn():
    # The kernel would drop what the terminal has not read yet, in the middle of an escape sequence.
    def keeps_output(terminal):
        return bool(termios.tcgetattr(terminal.slave)[3] & termios.NOFLSH)

    with begin("whole-output") as terminal:
        assert not terminal.before[3] & termios.NOFLSH and keeps_output(terminal)
        terminal.signal(signal.SIGTSTP)
        wait_until_stopped(terminal)
        assert not keeps_output(terminal)
        shown = len(terminal.raw)
        terminal.signal(signal.SIGCONT)
        terminal.wait_for(lambda terminal: b"losses" in terminal.raw[shown:])
        assert keeps_output(terminal)
        terminal.interrupt()


def test_a_second_interrupt_stops_at_once():
    with begin("twice") as terminal:
        terminal.type("\x03")
        terminal.interrupt()
    assert state("twice")["state"] in ("stopped", "interrupted")


def test_a_termination_that_comes_twice_at_once_is_one():
    # As GNU timeout sends it: to the process, and to its group.
    process = subprocess.Popen(
        train("twice-at-once", *ENDLESS, "--headless"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    while " step 1/" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=4 * PATIENCE)[0]
    assert process.returncode == 143, said
    stopped = state("twice-at-once")
    assert stopped["state"] == "stopped" and checkpoints("twice-at-once") == [stopped["step"]], said


def test_the_run_goes_on_when_the_terminal_hangs_up():
    for name, hang_up in (
        ("hangup-signal", lambda terminal: terminal.signal(signal.SIGHUP)),
        ("hangup-closed", lambda terminal: terminal.hang_up()),
    ):
        with begin(name) as terminal:
            hang_up(terminal)
            hung_up = lambda: any("hung up" in event["text"] for event in occurrences(name, "notice"))
            wait_until(lambda: terminal.process.poll() is not None or hung_up(), "it notices")
            assert terminal.process.poll() is None, f"{name} ended with {terminal.process.returncode}"
            wait_for_steps_after(name, state(name)["step"])
            terminal.signal(signal.SIGTERM)
            assert terminal.process.wait(PATIENCE) == 143
        assert state(name)["state"] == "stopped"


def test_a_terminal_that_takes_nothing_holds_nobody_up():
    def lines(name):
        terminal = Terminal(train(name, *ENDLESS), env={"TERM": "dumb"})
        terminal.wait_for(lambda terminal: b"tok/s" in terminal.raw)
        return terminal

    for name, start, number in (
        ("stuck-screen", begin, signal.SIGTERM),
        ("stuck-hangup", begin, signal.SIGHUP),
        ("stuck-lines", lines, signal.SIGTERM),
    ):
        with start(name) as terminal:
            # What ctrl-S does.
            termios.tcflow(terminal.slave, termios.TCOOFF)
            wait_for_steps_after(name, state(name)["step"])
            terminal.signal(number)
            if number == signal.SIGHUP:
                wait_for_steps_after(name, state(name)["step"])
                terminal.signal(signal.SIGTERM)
            assert terminal.process.wait(PATIENCE) == 143, name
        assert state(name)["state"] == "stopped", name
    with begin("stuck-awhile") as terminal:
        termios.tcflow(terminal.slave, termios.TCOOFF)
        step = terminal.step
        wait_for_steps_after("stuck-awhile", step + 5)
        termios.tcflow(terminal.slave, termios.TCOON)
        terminal.wait_for(lambda terminal: terminal.step > step + 5)
        terminal.interrupt()


def wait_for_steps_after(name, first):
    wait_until(lambda: state(name)["step"] > first, f"{name} takes more steps than {first}")


def test_stopping_gives_the_terminal_back_and_continuing_takes_it_again():
    with begin("shell") as terminal:
        terminal.signal(signal.SIGTSTP)
        wait_until_stopped(terminal)
        terminal.read(0.2)
        terminal.assert_restored()
        shown = len(terminal.raw)
        terminal.signal(signal.SIGCONT)
        terminal.wait_for(lambda terminal: b"losses" in terminal.raw[shown:])
        assert termios.tcgetattr(terminal.slave) != terminal.before, "the terminal was not taken again"
        step = terminal.step
        terminal.wait_for(lambda terminal: terminal.step > step)
        terminal.interrupt()


def test_lines_can_be_stopped_and_continued():
    with Terminal(train("shell-lines", *ENDLESS), env={"TERM": "dumb"}) as terminal:
        terminal.wait_for(lambda terminal: b"tok/s" in terminal.raw)
        terminal.signal(signal.SIGTSTP)
        wait_until_stopped(terminal)
        shown = len(terminal.raw)
        terminal.signal(signal.SIGCONT)
        terminal.wait_for(lambda terminal: b"tok/s" in terminal.raw[shown:])


def test_a_run_in_the_background_leaves_the_terminal_alone():
    # A process group that is not the terminal's, as a shell makes for “&”.
    start = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:], process_group=0))"
    with Terminal([sys.executable, "-c", start, *train("background", "--steps", "30")]) as terminal:
        assert terminal.finish() == 0
        assert b"\x1b" not in terminal.raw
        assert "finished at step 30 of 30" in terminal.text


def test_an_ignored_hangup_is_not_noticed():
    with Terminal(["nohup", *train("nohup", *ENDLESS)], cwd=FOLDER) as terminal:
        wait_until(lambda: (state("nohup") or {}).get("step"), "there is a step")
        terminal.signal(signal.SIGHUP)
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143
    with open(os.path.join(FOLDER, "nohup.out")) as file:
        assert "stopped at step" in file.read()


def test_a_crash_puts_the_terminal_back():
    for name in ("SIGSEGV", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGQUIT"):
        number = getattr(signal, name)
        with begin("crash-" + name.lower()) as terminal:
            terminal.signal(number)
            assert terminal.finish() == -number, f"{name} ended it with {terminal.process.returncode}"
            terminal.assert_restored()
