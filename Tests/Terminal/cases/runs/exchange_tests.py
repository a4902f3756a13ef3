"""Runs that go to other programs and come back: tensors, lines, TensorBoard, tokenizers."""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile

from stored_tests import lines, stored
from support import *


def exported_loss(folder, tokens, context):
    """What numpy alone loses with an exported model on the windows that `foretop eval` reads."""
    import numpy as np
    import llama

    total, count = 0.0, 0
    for start in range(0, len(tokens) // context * context, context):
        window = tokens[start:start + context + 1]
        logits, _ = llama.logits(folder, window[:context])
        top = logits.max(-1, keepdims=True)
        logs = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
        following = window[1:]
        total -= logs[np.arange(len(following)), following].sum()
        count += len(following)
    return total / count, count


def test_an_exported_model_loses_what_eval_says():
    sys.path.insert(0, os.path.join(ROOT, "Tests/ExportTests"))
    stored("exported", "--set", "precision=fp32", "--set", "model.keyValueHeads=1")
    folder = os.path.join(FOLDER, "huggingface")
    said = run(command("export", "exported", folder, "--to", "huggingface")).stdout
    assert "exported at step 40, 21 tensors" in said, said
    assert sorted(os.listdir(folder)) == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    part = os.path.join(FOLDER, "part.txt")
    with open(TEXT) as file, open(part, "w") as out:
        out.write(file.read(2000))
    tokens = json.loads(run(command("tokenize", "exported", part, "--json")).stdout)["tokens"]
    expected = json.loads(run(command("eval", "exported", "--data", part, "--json")).stdout)
    loss, count = exported_loss(folder, tokens, 64)
    assert count == expected["positions"] and abs(loss - expected["loss"]["ntp"]) < 1e-5, (loss, count, expected)
    assert "is not empty" in run(command("export", "exported", folder, "--to", "huggingface"), status=73).stderr
    run(command("export", "exported", folder, "--to", "huggingface", "--force", "--with-heads", "--step", "20"))
    import llama
    assert "top_head.weight" in llama.tensors(os.path.join(folder, "model.safetensors"))


def test_an_exported_model_comes_back_and_goes_on():
    folder = os.path.join(FOLDER, "there")
    stored("there-and-back", "--set", "precision=fp32", "--set", "objective.mtp.heads=2",
           "--set", "objective.mtp.trunk=1")
    run(command("export", "there-and-back", folder, "--to", "huggingface", "--with-heads"))
    said = run(command("import", folder, "--name", "back", "--set", "precision=fp32")).stdout
    assert "parameters (F32)" in said, said
    assert "new" not in said, said
    part = os.path.join(FOLDER, "there.txt")
    with open(TEXT, encoding="utf-8") as file, open(part, "w", encoding="utf-8") as out:
        out.write(file.read(6000))
    losses = [json.loads(run(command("eval", name, "--data", part, "--json")).stdout) for name in ("there-and-back", "back")]
    assert losses[0] == losses[1] and set(losses[0]["loss"]) == {"ntp", "mtp-2", "top"}, losses
    listed = {one["name"]: one for one in lines("runs")}["back"]
    assert (listed["state"], listed["step"], listed["checkpoints"]) == ("stopped", 0, 1), listed
    assert "there is a run" in run(command("import", folder, "--name", "back"), status=73).stderr
    # The weights are kept: the first loss of the training that follows is far below that of first weights.
    run(command("resume", "back", "--data", part, "--steps", "3", "--headless", "--set", "batch.rows=4"))
    steps = events("back", "step")
    assert len(steps) == 3 and steps[0]["loss"]["ntp"] < losses[0]["loss"]["ntp"] + 1, steps
    assert "data.heldOut cannot change" in run(
        command("resume", "back", "--steps", "5", "--headless", "--set", "data.heldOut=0.2"), status=64).stderr
    [recipe] = lines("inspect", "back", "recipe")
    assert recipe["tokenizer"]["kind"] == "characters" and recipe["tokenizer"]["model"] == "", recipe
    # Without the heads in the files, those that are asked for are new.
    run(command("export", "there-and-back", folder, "--to", "huggingface", "--force"))
    said = run(command("import", folder, "--name", "plain", "--set", "objective.top=1")).stdout
    assert "the TOP head's tensor, with initial weights" in said, said
    assert "model.width comes from" in run(
        command("import", folder, "--name", "wide", "--set", "model.width=128"), status=64).stderr
    os.truncate(os.path.join(folder, "model.safetensors"), 5000)
    assert "does not lie inside the file" in run(command("import", folder, "--name", "cut"), status=65).stderr
    assert state("cut") is None and state("wide") is None
    assert "config.json cannot be read" in run(command("import", RUNS, "--name", "none"), status=66).stderr


def test_a_gpt2_goes_out_and_comes_back_with_or_without_its_tokenizer():
    folder = os.path.join(FOLDER, "gpt2-there")
    stored("gpt2-there", "--set", "precision=fp32", "--set", "model.kind=gpt2", "--set", "tokenizer.kind=bytes")
    run(command("export", "gpt2-there", folder, "--to", "huggingface", "--with-heads"))
    said = run(command("import", folder, "--name", "gpt2-back", "--set", "precision=fp32")).stdout
    assert "new" not in said and "context" not in said, said
    part = os.path.join(FOLDER, "gpt2-there.txt")
    with open(TEXT, encoding="utf-8") as file, open(part, "w", encoding="utf-8") as out:
        text = file.read(6000)
        out.write(text)
    losses = [json.loads(run(command("eval", name, "--data", part, "--json")).stdout) for name in ("gpt2-there", "gpt2-back")]
    assert losses[0] == losses[1] and set(losses[0]["loss"]) == {"ntp", "top"}, losses
    assert "model.context comes from" in run(
        command("import", folder, "--name", "short", "--set", "model.context=32"), status=64).stderr
    # A tokenizer that foretop does not have: the network alone, which goes on with token files.
    for name in ("tokenizer.json", "tokenizer_config.json"):
        os.remove(os.path.join(folder, name))
    assert "--set tokenizer.kind=tokens" in run(command("import", folder, "--name", "alone"), status=66).stderr
    numbers = os.path.join(FOLDER, "gpt2-there.bin")
    with open(numbers, "wb") as file:
        file.write(struct.pack(f"<{len(text)}H", *text.encode()))
    tokens = ["--set", "precision=fp32", "--set", "tokenizer.kind=tokens"]
    assert "data.paths is empty" in run(command("import", folder, "--name", "alone", *tokens), status=64).stderr
    run(command("import", folder, "--name", "alone", *tokens, "--data", numbers))
    alone = json.loads(run(command("eval", "alone", "--data", numbers, "--json")).stdout)
    assert alone == losses[0], (alone, losses[0])
    run(command("resume", "alone", "--steps", "2", "--headless", "--set", "batch.rows=4"))
    said = run(command("export", "gpt2-there", os.path.join(FOLDER, "gpt2.gguf"), "--to", "gguf")).stdout
    assert "gpt2-there at step 40, 29 tensors" in said, said


def test_a_byte_level_bpe_is_trained_with_goes_out_and_comes_back():
    model = os.path.join(ROOT, "Tests/CorpusTests/BytePair/smollm.json")
    folder = os.path.join(FOLDER, "pairs")
    pairs = ["--set", "tokenizer.kind=bpe"]
    said = run(command("train", "tiny", "--name", "nothing", "--data", TEXT, *pairs, "--headless"), status=64).stderr
    assert "tokenizer.model is empty: name a tokenizer.json" in said, said
    stored("pairs", *pairs, "--set", f"tokenizer.model={model}", "--set", "precision=fp32", steps=20)
    run(command("export", "pairs", folder, "--to", "huggingface"))
    run(command("import", folder, "--name", "pairs-back", "--set", "precision=fp32"))
    [recipe] = lines("inspect", "pairs-back", "recipe")
    assert recipe["tokenizer"]["kind"] == "bpe", recipe
    part = os.path.join(FOLDER, "pairs.txt")
    with open(TEXT, encoding="utf-8") as file, open(part, "w", encoding="utf-8") as out:
        out.write(file.read(20_000))
    losses = [json.loads(run(command("eval", name, "--data", part, "--json")).stdout) for name in ("pairs", "pairs-back")]
    assert losses[0]["loss"]["ntp"] == losses[1]["loss"]["ntp"], losses
    run(command("resume", "pairs-back", "--data", TEXT, "--steps", "2", "--headless"))
    # What an untrained network writes is no UTF-8.
    said = subprocess.run(command("generate", "pairs-back", "--prompt", "In the 7th ½", "--tokens", "20"), capture_output=True)
    assert said.returncode == 0 and said.stdout.startswith("In the 7th ½".encode()), said
    said = run(command("export", "pairs", os.path.join(FOLDER, "pairs.gguf"), "--to", "gguf")).stdout
    assert "pairs at step 20" in said, said


def test_an_imported_recipe_has_the_size_of_its_tokenizer():
    folder = os.path.join(FOLDER, "pieces")
    stored("pieces", "--set", "tokenizer.kind=sentencepiece", "--set", "tokenizer.vocabulary=300", steps=1)
    run(command("export", "pieces", folder, "--to", "huggingface"))
    run(command("import", folder, "--name", "pieces-back"))
    for name in ("pieces", "pieces-back"):
        [recipe] = lines("inspect", name, "recipe")
        assert recipe["tokenizer"]["vocabulary"] == 300, recipe


def test_an_export_that_is_told_to_end_leaves_nothing():
    stored("told")
    place = os.path.join(FOLDER, "told")
    os.mkdir(place)
    # What a killed one left goes with the next.
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".out.csv.new{dead.pid}", f".other.csv.new{dead.pid}", ".out.csv.new1"):
        open(os.path.join(place, name), "w").close()
    run(command("export", "told", os.path.join(place, "out.csv"), "--to", "csv"))
    assert sorted(os.listdir(place)) == [".other.csv.new" + str(dead.pid), ".out.csv.new1", "out.csv"], os.listdir(place)
    ended = 0
    draw = draws("exports that are told to end")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for attempt in range(20 if IS_FULL else 8):
            there = tempfile.mkdtemp(dir=FOLDER)
            process = subprocess.Popen(
                command("export", "told", os.path.join(there, "x"), "--to", "safetensors"), stdout=subprocess.DEVNULL)
            let_compute(process, 0 if attempt == 0 else draw.uniform(0, 0.04), lambda: None)
            process.send_signal(number)
            status = process.wait(PATIENCE)
            assert status in (0, -number), status
            assert os.listdir(there) in ([], ["x"]), os.listdir(there)
            ended += status != 0
    assert ended > 0


def test_another_tokenizer_does_not_stay_in_an_exported_folder():
    folder = os.path.join(FOLDER, "exported-twice")
    stored("of-bytes")
    run(command("export", "of-bytes", folder, "--to", "huggingface"))
    for name in ("tokenizer.model", "vocab.json", "notes.txt"):
        open(os.path.join(folder, name), "w").close()
    run(command("export", "of-bytes", folder, "--to", "huggingface", "--force"))
    assert sorted(os.listdir(folder)) == ["config.json", "generation_config.json", "model.safetensors", "notes.txt",
                                          "tokenizer.json", "tokenizer_config.json"], os.listdir(folder)


def test_the_table_in_the_help_of_export_is_not_wrapped():
    help = run([PROGRAM, "help", "export"]).stdout
    table = help[help.index("huggingface  "):help.index("USAGE:")].rstrip().splitlines()
    assert [line.split(" ")[0] for line in table] == [
        "huggingface", "", "gguf", "safetensors", "csv", "jsonl", "tensorboard"], table


def test_a_run_goes_out_as_tensors_and_as_lines():
    sys.path.insert(0, os.path.join(ROOT, "Tests/ExportTests"))
    import csv
    import h5py
    import llama
    import numpy as np

    path = stored("lines-out")
    out = {kind: os.path.join(FOLDER, "lines-out." + kind) for kind in ("safetensors", "csv", "jsonl")}
    for kind, file in out.items():
        run(command("export", "lines-out", file, "--to", kind))
        assert "exists already" in run(command("export", "lines-out", file, "--to", kind), status=73).stderr
    tensors = llama.tensors(out["safetensors"])
    with h5py.File(os.path.join(path, "checkpoints", "000000040.h5")) as file:
        assert len(tensors) == 22
        for name, values in tensors.items():
            assert np.array_equal(values, file["model/" + name.replace(".", "/")][:]), name
    with h5py.File(os.path.join(path, "run.h5")) as file, open(out["csv"]) as table:
        rows = list(csv.DictReader(table))
        for name in ("step", "rate", "loss/ntp", "phase/forward"):
            assert np.array_equal(np.array([row[name] for row in rows], file["metrics"][name].dtype), file["metrics"][name][:])
        held_out = [float(row["heldout/loss/top"]) for row in rows if row["heldout/loss/top"]]
        assert np.array_equal(np.array(held_out, "f4"), file["heldout/loss/top"][:])
    with open(out["jsonl"]) as file:
        told = [json.loads(line) for line in file]
    assert [event for event in told if event["event"] == "step"] == events("lines-out", "step")
    assert [event for event in told if event["event"] == "heldout"] == events("lines-out", "heldout")
    assert "--with-heads" in run(command("export", "lines-out", "x.csv", "--to", "csv", "--with-heads"), status=64).stderr
    assert "parquet" in run(command("export", "lines-out", "x", "--to", "parquet"), status=64).stderr


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return ~value & 0xFFFFFFFF


def records(data):
    """The contents of a TFRecord file, its checksums checked."""
    place = 0

    def taken(count):
        nonlocal place
        place += count
        return data[place - count:place]

    def check(content):
        value = crc32c(content)
        masked = ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert taken(4) == struct.pack("<I", masked)
        return content

    while place < len(data):
        (length,) = struct.unpack("<Q", check(taken(8)))
        yield check(taken(length))


def fields(message):
    """A protocol buffer as a list of numbers and values."""
    place, found = 0, []

    def varint():
        nonlocal place
        value, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        tag = varint()
        size = {0: 0, 1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            found.append((tag >> 3, varint()))
            continue
        size = varint() if tag & 7 == 2 else size
        value = message[place:place + size]
        place += size
        found.append((tag >> 3, value if tag & 7 == 2 else struct.unpack("<d" if size == 8 else "<f", value)[0]))
    return found


def test_a_run_goes_out_to_tensorboard():
    stored("board")
    folder = os.path.join(FOLDER, "board")
    run(command("export", "board", folder, "--to", "tensorboard"))
    (name,) = os.listdir(folder)
    assert name.startswith("events.out.tfevents.") and name.endswith(".board"), name
    with open(os.path.join(folder, name), "rb") as file:
        first, *rest = [dict(fields(record)) for record in records(file.read())]
    assert first[3] == b"brain.Event:2"
    scalars = {}
    for event in rest:
        for _, value in fields(event[5]):
            parts = dict(fields(value))
            scalars.setdefault(parts[1].decode(), {})[event[2]] = parts[2]
    steps = {event["step"]: event for event in events("board", "step")}
    assert sorted(scalars["loss/ntp"]) == list(range(1, 41))
    for step, loss in scalars["loss/ntp"].items():
        assert abs(loss - steps[step]["loss"]["ntp"]) < 1e-6 * loss
    assert {event["step"] for event in events("board", "heldout")} == set(scalars["heldout/loss/top"])
    assert "exists already" in run(command("export", "board", folder, "--to", "tensorboard"), status=73).stderr
