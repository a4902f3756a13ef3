"""Reads exported models with transformers, and makes checkpoints as transformers saves them.

    peer.py logits DIR WANTED.json [BOUND]   compares AutoModelForCausalLM's logits (fp32) with {"tokens": […], "logits": [[…]]}
    peer.py tokens DIR WANTED.json           compares AutoTokenizer's tokens with {"texts": […], "tokens": [[…]]}
    peer.py make DIR CONFIG.json MADE.json   saves a random network of this config.json and writes its logits as above
    peer.py loss DIR TOKENS.json CONTEXT     the mean loss on consecutive windows, as `foretop eval` reads them
    peer.py                                  does the same over and over: reads a line of JSON, the words from above, and answers
                                             {"status": …, "said": …} in a line, for to import torch takes seconds
"""

import contextlib
import io
import json
import os
import sys
import traceback

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

logging.disable_progress_bar()


def opened(folder):
    model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    return model.eval(), report


def logits(folder, wanted, bound="1e-4"):
    with open(wanted) as file:
        wanted = json.load(file)
    model, report = opened(folder)
    with torch.no_grad():
        found = model(torch.tensor([wanted["tokens"]])).logits[0].double()
    expected = torch.tensor(wanted["logits"], dtype=torch.float64)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    assert expected.abs().max() > 0.5, "logits that are all alike prove nothing"
    difference = (found - expected).abs().max().item()
    print(f"{type(model).__name__}: largest difference {difference:.2e} of {expected.abs().max().item():.2f}")
    print("unexpected:", *sorted(report["unexpected_keys"]))
    return 0 if difference < float(bound) else 1


def tokens(folder, wanted):
    with open(wanted) as file:
        wanted = json.load(file)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    wrong = 0
    for text, expected in zip(wanted["texts"], wanted["tokens"], strict=True):
        found = tokenizer(text)["input_ids"]
        back = tokenizer.decode(expected)
        if found != expected or back != text:
            wrong += 1
            print(f"{text!r}: {found} for {expected}, and back {back!r}")
    print(f"{type(tokenizer).__name__}: {len(wanted['texts'])} texts, {wrong} differ")
    return 1 if wrong else 0


def make(folder, config, made):
    with open(config) as file:
        settings = json.load(file)
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings)).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            # Norms and biases that do something.
            weight += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    sequence = [1, 5, 0, 19, 7, 7, 2, 11, 3, 0, 12]
    with torch.no_grad():
        found = model(torch.tensor([sequence])).logits[0]
    with open(made, "w") as file:
        json.dump({"tokens": sequence, "logits": found.tolist()}, file)
    print(type(model).__name__)
    return 0


def loss(folder, sequence, context):
    with open(sequence) as file:
        sequence = json.load(file)["tokens"]
    context = int(context)
    model, _ = opened(folder)
    total, count = 0.0, 0
    for start in range(0, len(sequence) // context * context, context):
        window = torch.tensor([sequence[start:start + context + 1]])
        with torch.no_grad():
            found = model(window[:, :context]).logits[0].double()
        following = window[0, 1:]
        total += torch.nn.functional.cross_entropy(found[: len(following)], following, reduction="sum").item()
        count += len(following)
    print(json.dumps({"loss": total / count, "positions": count}))
    return 0


VERBS = {"logits": logits, "tokens": tokens, "make": make, "loss": loss}


def serve():
    for line in sys.stdin:
        verb, *words = json.loads(line)
        said, status = io.StringIO(), 1
        with contextlib.redirect_stdout(said):
            try:
                status = VERBS[verb](*words)
            except Exception:
                traceback.print_exc(file=said)
        print(json.dumps({"status": status, "said": said.getvalue()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(VERBS[sys.argv[1]](*sys.argv[2:]) if len(sys.argv) > 1 else serve())
