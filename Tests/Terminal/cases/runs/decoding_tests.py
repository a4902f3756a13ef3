"""Generating text, speculative decoding and tasks, as commands."""

import json
import os
import re
import signal
import subprocess
import sys

from support import *


def generated(name, *options, status=0):
    return run(command("generate", name, "--prompt", "and the ", *options), status=status)


def test_sampling_options_do_what_they_say():
    run(train("sampled", "--steps", "30", "--headless"))
    greedy = generated("sampled", "--tokens", "24", "--temperature", "0").stdout
    assert greedy.startswith("and the ") and greedy.endswith("\n")
    # The likeliest token alone is left by each of these.
    for options in (["--top-k", "1"], ["--top-p", "1e-9"], ["--min-p", "1"]):
        assert generated("sampled", "--tokens", "24", "--temperature", "1", *options).stdout == greedy, options
    free = generated("sampled", "--tokens", "24", "--temperature", "1").stdout
    assert free != greedy
    assert free == generated("sampled", "--tokens", "24", "--temperature", "1", "--top-k", "0", "--top-p", "1").stdout
    assert generated("sampled", "--tokens", "24", "--temperature", "0", "--repetition-penalty", "2").stdout != greedy


def test_several_texts_are_those_of_one_and_end_at_a_stop_string():
    run(train("several", "--steps", "30", "--headless"))
    one = generated("several", "--tokens", "30", "--seed", "5").stdout
    many = generated("several", "--tokens", "30", "--seed", "5", "--count", "3").stdout
    assert many.startswith("[1 of 3]\n" + one + "\n[2 of 3]\n"), many
    written = command("generate", "several", "--prompt", "and the ", "--tokens", "30", "--seed", "5", "--count", "3")
    texts = objects(written)
    assert [one["number"] for one in texts] == [1, 2, 3]
    assert all(one["end"] == "tokens" and one["tokens"] == 30 and one["prompt"] == "and the " for one in texts)
    assert one == texts[0]["prompt"] + texts[0]["text"] + "\n"
    stop = texts[1]["text"][7:9]
    stopped = objects([*written, "--stop", stop, "--stop", "never\x01there"])
    for before, after in zip(texts, stopped):
        expected = before["text"].split(stop)[0]
        assert after["text"] == expected and (after["end"] == "stop") == (stop in before["text"]), (before, after)


def test_an_interrupt_ends_a_text_with_a_line_and_130():
    run(train("interrupted", "--steps", "5", "--headless"))
    process = subprocess.Popen(command("generate", "interrupted", "--prompt", "and ", "--tokens", "1000000"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Text comes as it is written.
    first = process.stdout.read(40)
    assert first.startswith(b"and ")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and rest.endswith(b"\n"), (process.returncode, rest[-80:], errors)


def test_speculative_decoding_writes_the_greedy_text_and_counts():
    run(train("guessing", "--steps", "40", "--headless", "--set", "objective.mtp.heads=2", "--set", "model.blocks=3"))
    greedy = generated("guessing", "--tokens", "90", "--temperature", "0").stdout
    for source, options in (("mtp", []), ("top", []), ("top", ["--draft", "6"])):
        result = generated("guessing", "--tokens", "90", "--speculative", source, *options)
        assert result.stdout == greedy, source
        assert re.search(r"tokens a verification \(\d+ tokens, \d+ verifications\).*times as fast", result.stderr), result.stderr
        measured = json.loads(run(command("eval", "guessing", "--speculative", source, "--snippets", "6", "--json", *options)).stdout)
        assert measured["snippets"] == measured["sameText"] == 6, measured
        assert 1 <= measured["tokensPerVerification"] <= measured["draft"] + 1, measured
        assert measured["publishedTokensPerVerification"] >= 1 and measured["greedySeconds"] > 0, measured
    text = run(command("eval", "guessing", "--speculative", "top", "--snippets", "3", "--tokens", "5")).stdout
    assert "3 of 3 snippets" in text and "published way of counting" in text, text


def questions(name, *lines):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as file:
        file.write("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_tasks_are_scored_item_by_item():
    run(train("asked", "--steps", "40", "--headless"))
    task = questions("choices.jsonl", *({"context": "and the of that", "choices": ["lord", "xzzq", "qq"], "answer": n % 3}
                                        for n in range(9)))
    *items, summary = objects(command("eval", "asked", "--task", task))
    assert [item["line"] for item in items] == list(range(1, 10)) and summary["items"] == 9
    # A word that the text has is likelier than one that it has not.
    assert all(item["choice"] == 0 and item["right"] == (item["answer"] == 0) for item in items), items
    assert abs(summary["accuracy"] - 1 / 3) < 1e-9 and abs(summary["chance"] - 1 / 3) < 1e-9
    said = run(command("eval", "asked", "--task", task)).stdout
    assert "accuracy .333 ± " in said and "normalised for length" in said and "9 questions" in said, said
    words = questions("words.jsonl", {"text": "and the of", "target": "that"}, {"text": "he said for them"})
    *items, summary = objects(command("eval", "asked", "--task", words))
    assert len(items) == 2 and summary["perplexity"] > 1 and "normalizedAccuracy" not in summary
    assert "perplexity of the word" in run(command("eval", "asked", "--task", words)).stdout


def test_a_recipes_task_is_asked_at_each_evaluation():
    words = questions("asked-meanwhile.jsonl", *({"text": "and the of", "target": word} for word in ("the", "of", "that", "xq")))
    asking = ["--set", f"evaluate.task={words}", "--set", "evaluate.every=10"]
    said = run(train("tasked", "--steps", "30", "--headless", *asking)).stdout
    assert re.search(r"task [01.]", said), said
    shares = [event["task"]["accuracy"] for event in events("tasked", "heldout")]
    assert len(shares) == 3 and all(share in (0, 0.25, 0.5, 0.75, 1) for share in shares), shares
    *_, summary = objects(command("eval", "tasked", "--task", words))
    assert shares[-1] == summary["accuracy"], (shares, summary)
    # Questions change nothing of the training, also of a run that goes on.
    run(command("resume", "tasked", "--steps", "40", "--headless"))
    run(train("untasked", "--steps", "30", "--headless", "--set", "evaluate.every=10"))
    assert [event["step"] for event in events("tasked", "heldout")] == [10, 20, 30, 40]
    assert [event["loss"] for event in events("tasked", "step")][:30] == [event["loss"] for event in events("untasked", "step")]
    run(command("verify", "tasked"))
    out = os.path.join(FOLDER, "tasked.csv")
    run(command("export", "tasked", out, "--to", "csv"))
    with open(out) as file:
        assert "heldout/task/accuracy" in file.readline().strip().split(",")
    assert "no “task/accuracy” in common" in run(command("compare", "tasked", "untasked", "--metric", "task/accuracy"), 64).stderr
    refused = run(command("resume", "untasked", "--steps", "50", *asking[:2]), 64).stderr
    assert "began without evaluate.task" in refused and "--task" in refused, refused
    for value, text in (("no-such-task", "there is no task “no-such-task”"), (TEXT, "not valid JSON")):
        result = subprocess.run(train("x", "--set", f"evaluate.task={value}"), capture_output=True, text=True)
        assert result.returncode in (65, 66) and text in result.stderr, result
        assert not os.path.exists(os.path.join(RUNS, "x"))


def test_the_sets_that_come_with_the_program_are_what_their_script_makes():
    made = os.path.join(FOLDER, "tasks")
    corpus = os.path.join(ROOT, "corpora/kjv.txt")
    subprocess.run([sys.executable, os.path.join(ROOT, "tools/make-tasks"), corpus, made], check=True)
    facts = os.path.join(FOLDER, "facts.txt")
    subprocess.run([os.path.join(ROOT, "tools/make-facts"), corpus, facts, made], check=True)
    names = sorted(os.listdir(made))
    assert names == sorted(os.listdir(os.path.join(ROOT, "tasks"))), names
    for name in names:
        with open(os.path.join(made, name)) as new, open(os.path.join(ROOT, "tasks", name)) as kept:
            assert new.read() == kept.read(), f"make tasks/{name} again: tools/make-tasks, tools/make-facts"
    with open(facts) as file:
        lines = file.read().splitlines()
    with open(corpus) as file:
        verses = file.read().splitlines()
    said = [line for line in lines if re.fullmatch(r"The number of [A-Z][a-z]{5} is \d{4}\.", line)]
    assert [line for line in lines if line not in set(said)] == verses, "the text between the facts is the corpus"
    for times in (1, 2, 4, 8, 16, 32):
        with open(os.path.join(made, f"facts-{times}.jsonl")) as file:
            asked = [json.loads(line) for line in file]
        assert len(asked) == 40
        for one in asked:
            assert said.count(f"{one['text']} {one['target']}.") == times, one
            assert sum(line.startswith(one["text"] + " ") for line in said) == times, "a name has one number"
    # No fact is held out: the last twentieth has verses alone.
    assert not set(said) & set(lines[-len(lines) // 20:])


def test_a_text_that_comes_with_the_program_is_named_by_its_name():
    run(command("train", "tiny", "--name", "of-facts", "--steps", "2", "--headless", "--data", "facts", "--set", "evaluate.task=facts-32"))
    recipe = run(command("inspect", "of-facts", "recipe")).stdout
    assert "corpora/facts.txt" in recipe, recipe
    refused = run(command("train", "tiny", "--name", "of-none", "--headless", "--data", "fact"), 66).stderr
    assert "there is no file or folder" in refused and "/fact" in refused, refused


def test_bad_options_and_lines_get_a_sentence_and_a_status():
    run(train("refusing", "--steps", "3", "--headless"))
    run(train("without-top", "--steps", "3", "--headless", "--set", "objective.top=0"))
    good = {"context": "a", "choices": ["b", "c"], "answer": 0}
    generate = ["generate", "refusing", "--prompt", "a"]
    cases = [
        ([*generate, "--top-k", "-1"], 64, ["--top-k must be 0 or more", "-1"]),
        ([*generate, "--top-p", "0"], 64, ["--top-p must be above 0"]),
        ([*generate, "--top-p", "1.1"], 64, ["--top-p must be above 0 and at most 1", "1.1"]),
        ([*generate, "--min-p", "-0.1"], 64, ["--min-p must be from 0 to 1"]),
        ([*generate, "--min-p", "nan"], 64, ["--min-p must be from 0 to 1"]),
        ([*generate, "--repetition-penalty", "0"], 64, ["--repetition-penalty must be from 0.01 to 100"]),
        # In fp32, in which logits are divided by it, this is 0.
        ([*generate, "--repetition-penalty", "1e-46"], 64, ["--repetition-penalty must be from 0.01 to 100"]),
        ([*generate, "--temperature", "nan"], 64, ["--temperature must be from 0"]),
        ([*generate, "--count", "0"], 64, ["--count must be from 1"]),
        ([*generate, "--stop", ""], 64, ["--stop is empty"]),
        ([*generate, "--draft", "2"], 64, ["--draft belongs to --speculative"]),
        ([*generate, "--speculative", "top", "--draft", "0"], 64, ["--draft must be 1 or more"]),
        ([*generate, "--speculative", "top", "--draft", "99"], 64, ["--draft must be from 1 to"]),
        ([*generate, "--speculative", "top", "--temperature", "1"], 64, ["leave out --temperature"]),
        ([*generate, "--speculative", "top", "--count", "2"], 64, ["leave out --count"]),
        ([*generate, "--speculative", "mtp"], 64, ["no MTP head", "objective.mtp.heads"]),
        (["generate", "without-top", "--prompt", "a", "--speculative", "top"], 64, ["no TOP head", "objective.top"]),
        (["eval", "refusing", "--snippets", "3"], 64, ["belong to --speculative"]),
        (["eval", "refusing", "--task", "x", "--data", TEXT], 64, ["leave out --data"]),
        (["eval", "refusing", "--task", "kjv-last-wrod"], 66, ["did you mean kjv-last-word"]),
        (["eval", "refusing", "--task", "/no/such.jsonl"], 66, ["/no/such.jsonl"]),
        (["eval", "refusing", "--task", FOLDER], 66, ["is not a file"]),
        (["eval", "refusing", "--task", questions("empty.jsonl")], 65, ["no question"]),
        (["eval", "refusing", "--task", questions("broken.jsonl", good, "{\n")], 65, ["broken.jsonl:2: ", "JSON"]),
        (["eval", "refusing", "--task", questions("wrong.jsonl", good, good, {**good, "answer": 7})], 65,
         ["wrong.jsonl:3: ", "answer is 7"]),
        (["eval", "refusing", "--task", questions("long.jsonl", {"text": "a", "target": "b" * 100})], 65,
         ["long.jsonl:1: ", "tokens"]),
    ]
    for arguments, status, words in cases:
        result = run(command(*arguments), status=status)
        for word in words:
            assert word in result.stderr, (arguments, result.stderr)
