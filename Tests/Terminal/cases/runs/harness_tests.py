"""Tasks beside lm-evaluation-harness, where it is installed: its own prompts of known sets on the exported network."""

import json
import os

from peer_tests import PEERS, exported, require
from support import *

HARNESS = (["torch", "transformers", "lm_eval"], "lm-eval is not installed: “make .venv-peers/harness” installs it")


def words(draw, least, most):
    with open(TEXT) as file:
        known = file.read(4000).split()
    return " ".join(draw.choice(known) for _ in range(draw.randint(least, most)))


def documents(draw):
    """Made-up lines with the field names of known sets."""
    def four():
        return [words(draw, 1, 6) for _ in range(4)]

    return {
        "hellaswag": [
            {"ctx_a": words(draw, 2, 9) + ".", "ctx_b": draw.choice(["", "and " + words(draw, 1, 3), "The Lord"]),
             "activity_label": "Day [x] and son", "label": str(n % 4),
             "endings": [ending + draw.choice([" [step] unto", "  all", " [title] he"]) for ending in four()]}
            for n in range(8)],
        "arc_easy": [
            {"question": words(draw, 3, 40) + "?", "choices": {"text": four(), "label": ["A", "B", "C", "D"]},
             "answerKey": "ABCD"[n % 4]} for n in range(8)],
        "piqa": [{"goal": words(draw, 2, 9), "sol1": words(draw, 1, 9), "sol2": words(draw, 1, 9), "label": n % 2}
                 for n in range(8)],
        "sciq": [{"question": words(draw, 2, 9), "support": draw.choice(["", "  " + words(draw, 2, 30)]),
                  **dict(zip(["distractor1", "distractor2", "distractor3", "correct_answer"], four()))} for _ in range(8)],
        # The context is longer than the network's in some.
        "lambada_standard": [{"text": words(draw, 3, 60)} for _ in range(12)],
    }


def same_scores(name, *options):
    folder = exported(name, *options)
    files, draw = {}, draws("harness")
    for task, lines in documents(draw).items():
        files[task] = os.path.join(FOLDER, f"{name}-{task}.jsonl")
        with open(files[task], "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    listed = os.path.join(FOLDER, f"{name}-tasks.json")
    with open(listed, "w") as file:
        json.dump(files, file)
    script = os.path.join(ROOT, "Tests/ExportTests/harness.py")
    theirs = json.loads(run([PEERS, "-B", script, folder, listed]).stdout.splitlines()[-1])
    for task, path in files.items():
        *items, summary = objects(command("eval", name, "--task", path))
        assert len(items) == len(theirs[task]) == summary["items"], task
        for ours, expected in zip(items, theirs[task]):
            where = (SEED, task, ours, expected)
            assert len(ours["logLikelihoods"]) == len(expected["logLikelihoods"]), where
            for a, b in zip(ours["logLikelihoods"], expected["logLikelihoods"]):
                assert abs(a - b) < 1e-4, where
            assert ours["greedy"] == expected["greedy"] and ours["right"] == bool(expected["acc"]), where
            if expected["acc_norm"] is not None:
                assert (ours["normalizedChoice"] == ours["answer"]) == bool(expected["acc_norm"]), where


def test_lm_eval_has_the_same_scores_for_a_llama():
    require(*HARNESS)
    same_scores("harness-llama")


def test_lm_eval_has_the_same_scores_for_a_gpt2_with_pieces():
    require(*HARNESS)
    same_scores("harness-gpt2", "--set", "model.kind=gpt2", "--set", "tokenizer.kind=sentencepiece",
                "--set", "tokenizer.vocabulary=300")
