"""Scores questions with lm-evaluation-harness on an exported model.

    harness.py DIR TASKS.json     TASKS.json: {"hellaswag": FILE.jsonl, …}: the harness's own tasks, with these lines for documents

Prints an object: for each task, an object a line with the log-likelihoods, whether each is greedy, and what counts as right.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Networks this small have nothing for a second thread to do, and threads that wait for it take a busy machine's time.
os.environ["OMP_NUM_THREADS"] = "1"

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

# Where the harness keeps its tasks.
SETS = {"hellaswag": "hellaswag/hellaswag", "arc_easy": "arc/arc_easy", "piqa": "piqa/piqa", "sciq": "sciq/sciq",
        "lambada_standard": "lambada/lambada_standard"}


def results(model, manager, name, path):
    task = load_yaml(os.path.join(os.path.dirname(lm_eval.__file__), "tasks", SETS[name] + ".yaml")) | {
        "dataset_path": "json", "dataset_name": None,
        "dataset_kwargs": {"data_files": {"validation": path}, "cache_dir": os.path.join(os.path.dirname(path), "datasets")},
        "training_split": None, "validation_split": "validation", "test_split": None,
    }
    found = lm_eval.simple_evaluate(model=model, tasks=[task], task_manager=manager, log_samples=True, bootstrap_iters=0)
    (samples,) = found["samples"].values()
    # What of a document's requests came back: [log-likelihood, is greedy] each.
    return [
        {
            "logLikelihoods": [float(answer[0]) for answer in flat(sample["filtered_resps"])],
            "greedy": [bool(answer[1]) for answer in flat(sample["filtered_resps"])],
            "acc": float(sample["acc"]), "acc_norm": float(sample["acc_norm"]) if "acc_norm" in sample else None,
        }
        for sample in sorted(samples, key=lambda one: one["doc_id"])
    ]


def flat(answers):
    return answers if isinstance(answers[0], (list, tuple)) else [answers]


def main():
    # These tokenizers have no token that begins a text; the harness wants one, and uses it for empty contexts alone.
    model = HFLM(pretrained=sys.argv[1], device="cpu", dtype="float32", batch_size=1, prefix_token_id=0)
    with open(sys.argv[2]) as file:
        tasks = json.load(file)
    # The tasks come from their own files: the index of the harness's thousands, which takes a minute to make, is not needed.
    manager = TaskManager(include_defaults=False)
    print(json.dumps({name: results(model, manager, name, path) for name, path in tasks.items()}))


if __name__ == "__main__":
    main()
