"""What people do with runs: notes and tags, changes at a resume, several at once, and texts that a terminal must not obey."""

import os
import re
import signal
import subprocess

from support import *


SMALL = ["--headless", "--set", "tokenizer.kind=bytes", "--set", "model.context=16", "--set", "evaluate.every=0", "--set", "sample.every=0"]


# What a terminal would obey or what hides: C0, DEL, C1, directions, zero width, separators, tags, no character.
HARMFUL = "\x1b\x07\x7f\x9b\x85\u202e\u2066\u200b\u200e\u2028\ufeff\U000e0041\u00ad"


def assert_harmless(text):
    found = [character for character in HARMFUL if character in text]
    assert not found, (found, text)


# Notes and tags


def test_notes_and_tags_are_listed_and_found():
    for name in ("noted", "plain"):
        run(train(name, "--steps", "4", *SMALL))
    run(command("note", "noted", "the first  with a gap"))
    run(command("note", "noted", "loss jumps at 3 — why? 😀"))
    run(command("tag", "noted", "seed-study", "keep"))
    run(command("tag", "noted", "keep"))
    assert run(command("tag", "noted")).stdout.split() == ["seed-study", "keep"]
    listed = run(command("note", "noted")).stdout.splitlines()
    assert len(listed) == 2 and listed[1].endswith("step 4  loss jumps at 3 — why? 😀"), listed
    for filters, names in (
        (["tag=seed-study"], ["noted"]), (["tag=keep", "note~jumps"], ["noted"]), (["tag!=keep"], ["plain"]),
        (["tag=seed"], []), (["tag~seed"], ["noted"]), (["note~nothing"], []),
    ):
        options = [word for one in filters for word in ("--filter", one)]
        found = objects(command("runs", *options))
        assert [one["name"] for one in found if one["name"] in ("noted", "plain")] == names, (filters, found)
    summary = state("noted")
    assert summary["tags"] == ["seed-study", "keep"] and [note["text"] for note in summary["notes"]][0] == "the first  with a gap"
    assert state("plain")["tags"] == [] and state("plain")["notes"] == []
    table = run(command("runs")).stdout
    assert "TAG" in table and "seed-study,keep" in table and "loss jumps" in table, table
    assert "TAG" not in run(command("runs", "--filter", "name=plain")).stdout
    text = run(command("inspect", "noted", "summary")).stdout
    assert re.search(r"tags +seed-study, keep", text) and "loss jumps" in text, text
    assert "note: the first" in run(command("inspect", "noted", "events")).stdout
    run(command("tag", "noted", "keep", "--remove"))
    assert state("noted")["tags"] == ["seed-study"]
    assert "has no tag" in run(command("tag", "noted", "keep", "--remove"), status=64).stderr
    run(command("verify", "noted"))
    copy = os.path.join(FOLDER, "noted-copy.h5")
    run(command("snapshot", "noted", copy))
    assert annotations(copy) == ["the first  with a gap", "loss jumps at 3 — why? 😀", "seed-study", "keep", "keep"]
    # Nothing of it is in the way of the run.
    run(command("resume", "noted", "--headless", "--steps", "8"))
    assert state("noted")["tags"] == ["seed-study"] and len(state("noted")["notes"]) == 2


def annotations(path):
    """The notes and tags in a file, as any HDF5 tool reads them."""
    import h5py

    with h5py.File(path, "r") as file:
        return [row["text"].decode() for row in file["events"] if row["key"] in (b"note", b"tag", b"untag")]


def test_a_run_that_goes_on_or_was_killed_is_noted_too():
    with begin("live-note") as terminal:
        run(command("note", "live-note", "while it goes on"))
        run(command("tag", "live-note", "live"))
        copy = os.path.join(FOLDER, "live-note-copy.h5")
        run(command("snapshot", "live-note", copy))
        assert annotations(copy) == ["while it goes on", "live"]
        assert state("live-note")["tags"] == ["live"] and state("live-note")["state"] == "training"
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert annotations(os.path.join(RUNS, "live-note", "run.h5")) == ["while it goes on", "live"]
    with begin("killed-note") as terminal:
        run(command("note", "killed-note", "before the end"))
        terminal.signal(signal.SIGKILL)
        terminal.finish()
    assert [note["text"] for note in state("killed-note")["notes"]] == ["before the end"]
    run(command("recover", "killed-note"))
    assert not os.path.exists(os.path.join(RUNS, "killed-note", "notes.jsonl"))
    assert [note["text"] for note in state("killed-note")["notes"]] == ["before the end"]
    run(command("verify", "killed-note"))


def test_many_notes_at_once_are_all_there():
    run(train("busy-note", "--steps", "4", *SMALL))
    processes = [subprocess.Popen(command("note", "busy-note", f"note {number}")) for number in range(12)]
    assert [process.wait(PATIENCE) for process in processes] == [0] * 12
    wanted = sorted(f"note {number}" for number in range(12))
    assert sorted(note["text"] for note in state("busy-note")["notes"]) == wanted
    assert sorted(annotations(os.path.join(RUNS, "busy-note", "run.h5"))) == wanted
    run(command("verify", "busy-note"))


def test_notes_and_tags_that_are_none_are_refused():
    run(train("refused-note", "--steps", "2", *SMALL))
    for text in ("", "two\nlines", "\x1b[2J", "\u202eabc", "x" * 401):
        assert "cannot be a note" in run(command("note", "refused-note", text), status=64).stderr, text
    for tag in ("", "two words", "a,b", "a\u200bb", "x" * 65):
        assert "cannot be a tag" in run(command("tag", "refused-note", tag), status=64).stderr, tag
    assert "there is no run" in run(command("note", "nobody", "text"), status=66).stderr


# Words that people type


def test_words_that_people_type_find_their_commands():
    run(train("typed-older", "--steps", "2", *SMALL))
    run(train("typed-newer", "--steps", "2", *SMALL))
    # Without how long ago a run changed.
    columns = ("--columns", "name,state,step")
    listed = run(command("runs", *columns)).stdout
    for word in ("ls", "list"):
        assert run(command(word, *columns)).stdout == listed, word
    wanted = run(command("inspect", "typed-newer", "summary")).stdout
    assert run(command("show", "typed-newer", "summary")).stdout == wanted
    # Without a name the newest run is meant, also where a part is named.
    assert run(command("inspect", "summary")).stdout == wanted
    assert "typed-newer" in run(command("inspect")).stdout
    empty = os.path.join(FOLDER, "no-runs")
    assert "there are no runs" in run([PROGRAM, "inspect", "--runs", empty], status=66).stderr
    # What destroys is not suggested, and a wrong word after help is an error.
    for word in ("r", "rn", "prne", "prun"):
        text = run([PROGRAM, word], status=64).stderr
        assert "there is no command" in text and "“rm”" not in text and "“prune”" not in text, text
    assert "did you mean “train”?" in run([PROGRAM, "help", "trian"], status=64).stderr
    assert "USAGE: foretop train" in run([PROGRAM, "help", "train"]).stdout


def test_recipes_are_listed_with_a_sentence_each():
    folder = os.path.join(ROOT, "recipes")
    names = sorted(name.removesuffix(".yaml") for name in os.listdir(folder) if name.endswith(".yaml"))
    lines = run([PROGRAM, "recipes"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == names
    assert all(len(line.split(maxsplit=1)[1]) > 20 for line in lines), lines
    entries = objects([PROGRAM, "recipes"])
    assert [entry["name"] for entry in entries] == names and all(os.path.exists(entry["path"]) for entry in entries)


# Changes at a resume


def test_generated_text_is_harmless_on_a_terminal_and_data_in_a_pipe():
    text = os.path.join(FOLDER, "hostile.txt")
    with open(text, "w") as file:
        file.write("a\x9b2Jb\u202ec\u2066d\u200be\n" * 400)
    trained = run(
        [PROGRAM, "train", "tiny", "--name", "hostile", "--runs", RUNS, "--data", text, "--threads", "1", "--steps", "60", "--headless",
         "--set", "tokenizer.kind=characters", "--set", "model.context=16", "--set", "schedule.rate=0.01", "--set", "sample.every=10",
         "--set", "sample.prompt=a"])
    assert_harmless(trained.stdout)
    arguments = command("generate", "hostile", "--prompt", "a\u202e", "--tokens", "300", "--temperature", "0.5")
    piped = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE).stdout.decode()
    assert piped.startswith("a\u202e") and "\x9b" in piped, piped
    with Terminal(arguments, columns=200) as terminal:
        assert terminal.finish() == 0
    shown = terminal.raw.decode()
    assert_harmless(shown)
    assert shown.replace("\r\n", "\n") == "".join("·" if c in HARMFUL else c for c in piped), shown
    for verb in (["inspect", "hostile", "events"], ["inspect", "hostile", "events", "--json"], ["inspect", "hostile", "--json"],
                 ["inspect", "hostile"], ["inspect", "hostile", "recipe"]):
        assert_harmless(run(command(*verb)).stdout)
    wrote = [event for event in events("hostile", "text")]
    assert any("\x9b" in event["text"] or "\u202e" in event["text"] for event in wrote), wrote[-1:]


def test_names_that_hide_something_are_refused_and_those_that_are_there_can_be_removed():
    for number, character in enumerate(HARMFUL):
        for verb in (train(f"a{character}b", "--steps", "1", *SMALL),):
            result = run(verb, status=64)
            assert "cannot be the name of a run" in result.stderr and "U+" in result.stderr, result.stderr
            assert_harmless(result.stderr.replace("\u00b7", ""))
    run(train("innocent", "--steps", "2", *SMALL))
    hidden = "inno\u202ecent\u200b\x9b"
    os.rename(os.path.join(RUNS, "innocent"), os.path.join(RUNS, hidden))
    for options in ([], ["--json"], ["--columns", "name,state"]):
        listed = run(command("runs", *options)).stdout
        assert_harmless(listed)
    assert hidden in [one["name"] for one in objects(command("runs"))]
    for verb in (["inspect", hidden, "summary"], ["inspect", hidden], ["verify", hidden], ["verify", hidden, "--json"],
                 ["resume", hidden, "--steps", "4", "--headless"], ["note", hidden, "x"], ["snapshot", hidden, os.path.join(FOLDER, "h\u202e.h5")],
                 ["export", hidden, os.path.join(FOLDER, "x\u202e.csv"), "--to", "csv"], ["diff", hidden, hidden]):
        result = run(command(*verb))
        assert_harmless(result.stdout + result.stderr)
    missing = run(command("inspect", "inno\u202ecent"), status=66)
    assert_harmless(missing.stderr)
    assert_harmless(run(command("eval", hidden, "--data", "no\u202e\x9bfile"), status=66).stderr)
    assert_harmless(run([PROGRAM, "tra\u202ein\x9b"], status=64).stderr)
    assert_harmless(run([PROGRAM, "train", "no\u202esuch\x9b"], status=66).stderr)
    assert_harmless(run(command("rm", hidden, "--yes")).stdout)
    assert not os.path.exists(os.path.join(RUNS, hidden))


def test_words_that_are_not_utf8_are_refused_and_not_changed():
    run(train("utf8", "--steps", "2", *SMALL))
    foreign = os.fsencode("caf") + b"\xe9"
    before = sorted(os.listdir(os.fsencode(RUNS)))
    for arguments in ([*train("x", "--steps", "1", *SMALL), "--name", foreign], command("note", "utf8", foreign),
                      command("tag", "utf8", foreign), [PROGRAM, "runs", "--runs", foreign], command("inspect", foreign),
                      [*train("x", "--steps", "1"), "--set", b"sample.prompt=" + foreign]):
        said = run(arguments, status=64).stderr
        assert "caf\\xE9" in said and "not UTF-8" in said, said
    assert sorted(os.listdir(os.fsencode(RUNS))) == before
