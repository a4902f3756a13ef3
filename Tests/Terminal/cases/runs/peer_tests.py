"""The way out and in beside transformers, where it is installed: the commands, and what its authors' code makes of them."""

import functools
import json
import os
import shutil
import subprocess
import sys

from support import *

PEERS = os.environ.get("FORETOP_PEERS_PYTHON", os.path.join(ROOT, ".venv-peers/bin/python"))
TRANSFORMERS = (["torch", "transformers"], "torch and transformers are not installed: “make .venv-peers/ready” installs both")


@functools.cache
def answering():
    """peer.py, which has imported torch and answers a line with a line."""
    return subprocess.Popen([PEERS, "-B", os.path.join(ROOT, "Tests/ExportTests/peer.py")], text=True, bufsize=1,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def peer(verb, *arguments):
    process = answering()
    process.stdin.write(json.dumps([verb, *arguments]) + "\n")
    answer = json.loads(process.stdout.readline() or '{"status": 1, "said": "peer.py ended"}')
    assert answer["status"] == 0, f"{verb} {arguments}:\n{answer['said']}"
    return answer["said"]


def require(modules, sentence):
    """Skips a test where one of these modules is missing, and says why."""
    question = f"import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, {modules!r})))"
    if not os.path.exists(PEERS) or subprocess.run([PEERS, "-c", question], stderr=subprocess.DEVNULL).returncode:
        raise Skipped(sentence)


def part():
    path = os.path.join(FOLDER, "peer-part.txt")
    with open(TEXT) as file, open(path, "w") as out:
        out.write(file.read(3000))
    return path


def same_loss(name, folder, context):
    """Whether transformers loses with a folder what `foretop eval` does with a run, on the same windows."""
    made = os.path.join(FOLDER, "peer-tokens.json")
    with open(made, "w") as file:
        file.write(run(command("tokenize", name, part(), "--json")).stdout)
    expected = json.loads(run(command("eval", name, "--data", part(), "--json")).stdout)
    found = json.loads(peer("loss", folder, made, str(context)))
    assert found["positions"] == expected["positions"], (found, expected)
    assert abs(found["loss"] - expected["loss"]["ntp"]) < 1e-5, (found, expected)


def exported(name, *options):
    """A run of some steps and the folder that it was exported to."""
    run(train(name, "--steps", "20", "--set", "precision=fp32", "--headless", *options))
    folder = os.path.join(FOLDER, name)
    run(command("export", name, folder, "--to", "huggingface"))
    return folder


def test_transformers_loses_what_eval_says_of_a_llama():
    require(*TRANSFORMERS)
    same_loss("peer-llama", exported("peer-llama", "--set", "model.keyValueHeads=1"), 64)


def test_transformers_loses_what_eval_says_of_a_gpt2():
    require(*TRANSFORMERS)
    same_loss("peer-gpt2", exported("peer-gpt2", "--set", "model.kind=gpt2", "--set", "model.tied=true"), 64)


def test_networks_that_transformers_saved_are_imported_and_go_back_to_the_bit():
    require(*TRANSFORMERS)
    sys.path.insert(0, os.path.join(ROOT, "Tests/ExportTests"))
    import llama
    import numpy as np

    # The tokenizer's files are those of an export.
    tokenizer = exported("peer-tokenizer")
    with open(os.path.join(tokenizer, "config.json")) as file:
        vocabulary = json.load(file)["vocab_size"]
    shape = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "max_position_embeddings": 32, "model_type": "llama"}
    gpt2 = {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 32, "model_type": "gpt2"}
    for name, config in (("peer-tied", {**shape, "tie_word_embeddings": True}), ("peer-untied", shape),
                         ("peer-foreign-gpt2", gpt2)):
        folder, back = os.path.join(FOLDER, name), os.path.join(FOLDER, name + "-back")
        wanted = os.path.join(FOLDER, "wanted.json")
        with open(wanted, "w") as file:
            json.dump({**config, "vocab_size": vocabulary, "initializer_range": 0.3}, file)
        peer("make", folder, wanted, os.path.join(FOLDER, "made.json"))
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(os.path.join(tokenizer, file), folder)
        said = run(command("import", folder, "--name", name, "--set", "precision=fp32")).stdout
        assert "parameters (F32), 2 blocks, width 48" in said, said
        same_loss(name, folder, 32)
        run(command("export", name, back, "--to", "huggingface"))
        before, after = (llama.tensors(os.path.join(path, "model.safetensors")) for path in (folder, back))
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[key], after[key]) for key in before)
        run(command("resume", name, "--data", part(), "--steps", "2", "--headless", "--set", "batch.rows=4"))
        assert state(name)["step"] == 2
