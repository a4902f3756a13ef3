"""Teachers as commands: what they write, what runs make of it, and what is left when one is killed."""

import glob
import json
import os
import signal
import subprocess

from support import *


def teach(*arguments):
    return command("teach", *arguments, "--recipe", "tiny", "--data", TEXT)


def test_an_n_gram_model_and_a_run_teach():
    file = os.path.join(FOLDER, "grams.teacher")
    (told,) = objects(teach("--ngram", "4", "--top", "6", "--output", file))
    assert told["file"] == file and told["teacher"] == "4-gram" and told["top"] == 6, told
    assert os.path.getsize(file) == told["bytes"] and 0.3 < told["share"] <= 1, told
    run(train("taught", "--steps", "20", "--headless", "--set", f"objective.teacher.file={file}",
              "--set", "objective.teacher.steps=12"))
    steps = events("taught", "step")
    assert [("trained" in json.dumps(step)) for step in steps] == [number < 12 for number in range(20)], steps[0]
    assert "the same" in run(command("replay", "taught")).stdout
    # A run teaches, with a file of its own in the cache.
    (other,) = objects(teach("taught"))
    assert other["file"] != file and os.path.exists(other["file"]) and "step 20" in other["teacher"], other
    assert "objective.teacher.file=" in run(teach("taught")).stdout


def test_a_teacher_that_is_killed_leaves_nothing_that_is_taken_for_whole():
    file = os.path.join(FOLDER, "killed.teacher")
    process = subprocess.Popen(teach("--ngram", "5", "--top", "64", "--output", file), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(os.path.getsize(part) > 0 for part in glob.glob(file + ".*.partial")), "a part of the file")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=PATIENCE)
    assert not os.path.exists(file)
    (part,) = glob.glob(file + ".*.partial")
    said = run(train("unwhole", "--steps", "2", "--headless", "--set", f"objective.teacher.file={part}"), status=65)
    assert "not a whole file of “foretop teach”" in said.stderr, said
    # The next one takes away what is left of it.
    run(teach("--ngram", "1", "--output", file))
    assert os.path.exists(file) and not glob.glob(file + ".*.partial")


def test_a_teacher_of_another_text_or_tokenizer_is_refused():
    file = os.path.join(FOLDER, "other.teacher")
    run(teach("--ngram", "2", "--output", file))
    use = ["--headless", "--steps", "2", "--set", f"objective.teacher.file={file}"]
    for change, words in (("data.heldOut=0.2", "another text"), ("tokenizer.kind=bytes", "another tokenizer")):
        said = run(train("refused", *use, "--set", change), status=64)
        assert words in said.stderr, said.stderr
    run(train("bytes", "--steps", "2", "--headless", "--set", "tokenizer.kind=bytes"))
    assert "another tokenizer" in run(teach("bytes"), status=64).stderr
    for arguments in ([], ["bytes", "--ngram", "2"], ["--ngram", "9"], ["--ngram", "2", "--top", "65"],
                      ["--ngram", "2", "--step", "5"]):
        run(teach(*arguments), status=64)


def test_a_run_does_without_the_file_of_a_teacher_whose_steps_are_over():
    file = os.path.join(FOLDER, "passing.teacher")
    run(teach("--ngram", "2", "--output", file))
    run(train("grown", "--steps", "8", "--headless", "--set", f"objective.teacher.file={file}",
              "--set", "objective.teacher.steps=8", "--set", "save.every=4", "--set", "save.keep=0"))
    said = run(command("resume", "grown", "--steps", "12", "--set", "objective.teacher.file="), status=64).stderr
    assert "set objective.teacher.weight to 0" in said, said
    os.remove(file)
    run(command("resume", "grown", "--steps", "12", "--headless"))
    assert [step["step"] for step in events("grown", "step")] == list(range(1, 13))
    # A step that has the teacher cannot do without.
    said = run(command("branch", "grown", "--step", "4", "--name", "young", "--headless"), status=66).stderr
    assert "objective.teacher.file: " in said and "foretop teach" in said and "--set objective.teacher.file=" in said


def test_a_teacher_replaces_no_file_of_another_kind():
    file = os.path.join(FOLDER, "notes.txt")
    with open(file, "w") as out:
        out.write("work of years\n")
    said = run(teach("--ngram", "1", "--output", file), status=73)
    assert "is not a file of “foretop teach”" in said.stderr and "counting" not in said.stderr, said.stderr
    assert open(file).read() == "work of years\n"
    assert "a folder" in run(teach("--ngram", "1", "--output", FOLDER), status=73).stderr
    assert not glob.glob(file + ".*.partial")
    # An empty file, such as mktemp makes, holds nothing; a teacher's file may be made again.
    open(file, "w").close()
    for _ in range(2):
        run(teach("--ngram", "1", "--output", file))
