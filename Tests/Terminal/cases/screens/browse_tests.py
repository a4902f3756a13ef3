"""The screen of all runs: `foretop` without a command."""

import json
import os
import re
import shutil

from support import *

FOLDER_OF_RUNS = os.path.join(FOLDER, "browsed")


def browsed():
    """A folder with three finished runs; made once."""
    if not os.path.isdir(FOLDER_OF_RUNS):
        for name, seed in (("first", 1), ("second", 2), ("third", 3)):
            run([PROGRAM, "train", "tiny", "--name", name, "--runs", FOLDER_OF_RUNS, "--data", TEXT, "--threads", "1", "--steps",
                 "20", "--set", f"seed={seed}", "--set", "evaluate.every=10", "--headless"])
    return FOLDER_OF_RUNS


def browse(folder=None, columns=120, rows=36, **options):
    return Terminal([PROGRAM, "browse", "--runs", folder or browsed()], columns, rows, **options)


def test_all_runs_are_listed_and_the_chosen_one_is_shown():
    with browse() as terminal:
        terminal.wait_for("3 runs")
        # The last changed run comes first.
        terminal.wait_for("▸ ■ third")
        terminal.wait_for(re.compile("checkpoints +20"))
        terminal.type("\x1b[B")
        terminal.wait_for("▸ ■ second")
        terminal.wait_for(re.compile("─ second ─"))
        terminal.type("\r")
        terminal.wait_for("losses")
        terminal.type("q")
        terminal.wait_for("▸ ■ second")
        terminal.leave()
        terminal.assert_restored()


def test_foretop_alone_shows_the_runs_on_a_terminal_and_its_help_elsewhere():
    folder = os.path.join(FOLDER, "alone")
    os.makedirs(folder, exist_ok=True)
    shutil.copytree(browsed(), os.path.join(folder, "runs"), dirs_exist_ok=True)
    with Terminal([PROGRAM], cwd=folder) as terminal:
        terminal.wait_for("▸ ■ third")
        terminal.leave()
    assert "SUBCOMMANDS" in run([PROGRAM]).stdout
    with Terminal([PROGRAM, "browse", "--runs", os.path.join(folder, "none")]) as terminal:
        terminal.wait_for("there are no runs")
        terminal.leave()


def test_runs_are_filtered_sorted_marked_and_compared():
    with browse() as terminal:
        terminal.wait_for("▸ ■ third")
        terminal.type("/name~ir\r")
        terminal.wait_for("2 of 3 runs")
        terminal.type("/\x15bset<3\r")
        terminal.wait_for("did you mean best?")
        terminal.type("/\x15state=finishd\r")
        terminal.wait_for("did you mean finished?")
        terminal.type("/\x1b")
        terminal.wait_for(lambda terminal: " of 3" not in terminal.text)
        terminal.type("s")
        terminal.wait_for("sort name ▲")
        terminal.wait_for(lambda terminal: terminal.text.index("first") < terminal.text.index("second"))
        terminal.type("S")
        terminal.wait_for("sort name ▼")
        terminal.type("\x1b[Hmm")
        terminal.wait_for("2 marked")
        terminal.type("c")
        terminal.wait_for("held-out ntp")
        terminal.wait_for("mean ± s.d. of seeds")
        terminal.type("q")
        terminal.wait_for("2 marked")
        terminal.leave()


def test_a_run_is_removed_after_y_alone():
    folder = os.path.join(FOLDER, "removed")
    shutil.copytree(browsed(), folder)
    with browse(folder) as terminal:
        terminal.wait_for("▸ ■")
        terminal.type("/name=second\r")
        terminal.wait_for("▸ ■ second")
        terminal.type("x\r")
        terminal.wait_for("“second” stays")
        assert os.path.isdir(os.path.join(folder, "second"))
        terminal.type("xy")
        terminal.wait_for("“second” is removed")
        assert not os.path.exists(os.path.join(folder, "second"))
        terminal.leave()
    assert sorted(os.listdir(folder)) == ["first", "third"]


def test_a_run_that_goes_on_moves_in_the_list_and_is_not_removed():
    with begin("listed") as other:
        with browse(RUNS) as terminal:
            terminal.wait_for(re.compile("▸ ● listed"))
            terminal.wait_for("1 training")

            def tokens(terminal):
                found = re.search(r"● listed +training +\S+ +\S+ k +(\S+ \w|\d+)", terminal.text)
                return found and found[1]

            before = terminal.wait_for(tokens)
            terminal.wait_for(lambda terminal: tokens(terminal) not in (None, before))
            terminal.type("x")
            terminal.wait_for("another process trains this run")
            terminal.type("\r")
            terminal.wait_for("● training")
            step = terminal.wait_for(lambda terminal: terminal.step)
            terminal.wait_for(lambda terminal: (terminal.step or 0) > step)
            terminal.type("q")
            terminal.wait_for("1 training")
            terminal.leave()
        other.type("\x03")
        other.finish()


def test_the_list_takes_every_size_and_signal():
    with browse() as terminal:
        for columns, rows in ((40, 12), (20, 4), (220, 60), (80, 24)):
            terminal.resize(columns, rows)
            terminal.wait_for(lambda terminal: "▸" in terminal.text and "enter" in terminal.text.splitlines()[-1])
        terminal.type("\x1b[F\x1b[H\x1b[6~\x1b[5~?")
        terminal.wait_for("choose a run")
        terminal.interrupt(0)


def test_commands_get_the_terminal_and_the_list_comes_back():
    folder = os.path.join(FOLDER, "commanded")
    shutil.copytree(browsed(), folder, dirs_exist_ok=True)
    with browse(folder) as terminal:
        terminal.wait_for("▸ ■ third")
        # Finished: the command has the steps to go on to, and runs where it was typed.
        terminal.type("r")
        terminal.wait_for("resume third --runs")
        terminal.wait_for("--steps 40")
        terminal.type(" --headless\r")
        terminal.wait_for("enter goes back to the list")
        terminal.type("\r")
        terminal.wait_for(lambda terminal: "40" in terminal.text and "▸" in terminal.text)
        # A typed command knows the folder, too.
        terminal.type(":runs --columns name\r")
        terminal.wait_for("NAME")
        terminal.wait_for("enter goes back to the list")
        terminal.type("\r")
        terminal.wait_for("▸")
        # A mistake stays in the line, or is what the command says.
        terminal.type(':note third "open')
        terminal.type("\r")
        terminal.wait_for("has no end")
        terminal.type('\x15nonsense\r')
        terminal.wait_for("ended with status 64")
        terminal.type("\r")
        terminal.wait_for("▸")
        terminal.type(":")
        terminal.wait_for("esc stays")
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "esc stays" not in terminal.text)
        terminal.leave()
        terminal.assert_restored()
    run([PROGRAM, "verify", "third", "--runs", folder])


def test_the_list_is_reached_from_a_run_that_was_opened_alone():
    with Terminal([PROGRAM, "inspect", "second", "--runs", browsed()], 120, 36) as terminal:
        terminal.wait_for("losses")
        terminal.type("R")
        terminal.wait_for("3 runs")
        terminal.wait_for("▸ ■")
        terminal.type("\r")
        terminal.wait_for("losses")
        terminal.type("R")
        terminal.wait_for("3 runs")
        terminal.leave()
        terminal.assert_restored()


def test_the_list_is_reached_from_every_screen_that_was_opened_alone():
    for arguments, word in ((["compare", "first", "second"], "at the cursor"), (["tensors", "first"], "tensors   first"),
                            (["data", "tiny", "--data", TEXT], "window 0 of")):
        with Terminal([PROGRAM, *arguments, "--runs", browsed()], 120, 36) as terminal:
            terminal.wait_for(word)
            terminal.type("R")
            terminal.wait_for("3 runs")
            terminal.wait_for("▸ ■")
            terminal.type("\r")
            terminal.wait_for("losses")
            terminal.type("q")
            terminal.wait_for("3 runs")
            terminal.leave()
            terminal.assert_restored()


def takes_folder(command):
    """Whether a command, or a command of it, declares --runs."""
    options = [name["name"] for argument in command.get("arguments") or [] for name in argument.get("names") or []]
    return "runs" in options or any(takes_folder(inner) for inner in command.get("subcommands") or [])


def test_typed_commands_get_the_folder_of_the_list_if_they_declare_one():
    declared = json.loads(run([PROGRAM, "--experimental-dump-help"]).stdout)["command"]["subcommands"]
    commands = {name: takes_folder(command) for command in declared
                for name in [command["commandName"], *(command.get("aliases") or [])]}
    assert commands["train"] and not commands["plan"], commands
    with browse() as terminal:
        terminal.wait_for("▸ ■ third")
        for name, has_folder in sorted(commands.items()):
            terminal.type(":" + name)
            found = terminal.wait_for(re.compile(rf"foretop {re.escape(name)}( --runs \S+)? +│"))
            assert bool(found[1]) == has_folder, f"{name}: {found[0]}"
            terminal.type("\x1b")
            terminal.wait_for(lambda terminal: "esc stays" not in terminal.text)
        terminal.leave()
