"""Files that nobody meant to write: the program takes them or says in a sentence what is wrong, and never crashes or hangs."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess

from support import *

STATUSES = {0, 64, 65, 66, 69, 73, 74}
# What a sentence for people does not have in it.
SECRETS = re.compile(r"Fatal error|Error\(|Optional\(|Yams|CorpusError|Swift\.|\x1b|\x00|The operation could not be completed")


def attempt(case, arguments, naming=""):
    """Runs a command on bad input; returns its status. `naming`: what a refusal must name, such as the file."""
    try:
        result = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"{case}: hangs: {' '.join(arguments)}") from error
    said = result.stderr.decode(errors="replace")
    assert result.returncode in STATUSES, f"{case}: ended with {result.returncode}: {said}"
    assert not SECRETS.search(said), f"{case}: {said}"
    if result.returncode != 0:
        assert said.startswith("foretop: ") and 20 < len(said) < 3000, f"{case}: {said!r}"
        assert naming in said, f"{case}: “{naming}” is not named: {said}"
    return result.returncode


NUMBERS = ["0", "-1", "1e999", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "0.5", "nan",
           "18446744073709551616", "1" * 400, "0x10", "true", "null", "~", "[]", "{}", '""', "*a", "&a", "!!int x"]


def mutated(text, draw):
    """Bytes of a text with one to three things wrong."""
    text = bytearray(text if isinstance(text, bytes) else text.encode())
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        kind = draw.randrange(9)
        place = draw.randrange(len(text) + 1)
        if kind == 0:
            text = text[:place]
        elif kind == 1 and text:
            text[min(place, len(text) - 1)] ^= 1 << draw.randrange(8)
        elif kind == 2:
            text[place:place] = bytes(draw.randrange(256) for _ in range(draw.choice((1, 4, 40))))
        elif kind == 3:
            del text[place:place + draw.choice((1, 5, 60))]
        elif kind == 4:
            numbers = list(re.finditer(rb"-?\d+(\.\d+)?", text))
            if numbers:
                found = draw.choice(numbers)
                text[found.start():found.end()] = draw.choice(NUMBERS).encode()
        elif kind == 5:
            lines = text.split(b"\n")
            line = draw.randrange(len(lines))
            lines[line:line] = [lines[draw.randrange(len(lines))]] * draw.choice((1, 2, 300))
            text = bytearray(b"\n".join(lines))
        elif kind == 6:
            words = list(re.finditer(rb"[A-Za-z]+", text))
            if len(words) > 1:
                first, second = draw.sample(words, 2)
                text[first.start():first.end()] = second.group()
        elif kind == 7:
            opening = draw.choice((b"[", b"{", b"- ", b"? ", b"{a: ", b'{"a":', b"[[", b'"', b"&a [*a, "))
            text[place:place] = opening * draw.choice((1, 100, 20_000))
        else:
            text[place:place] = draw.choice((b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\t", b"\xef\xbb\xbf", b"%YAML 9.9\n", b"---\n"))
    return bytes(text)


def folder_of(name):
    folder = os.path.join(FOLDER, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def written(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def texts(folder):
    found = []
    for name in sorted(os.listdir(os.path.join(ROOT, folder))):
        with open(os.path.join(ROOT, folder, name)) as file:
            found.append(file.read())
    return found


def test_bad_layouts_are_refused_or_drawn():
    draw = draws("bad layouts")
    folder, originals, statuses = folder_of("bad-layouts"), texts("layouts"), []
    for case in range(200 if IS_FULL else 40):
        path = written(os.path.join(folder, "mine.yaml"), mutated(draw.choice(originals), draw))
        size = draw.choice(("80x24", "1x1", "120x36", "20x4", "300x100"))
        statuses.append(attempt(f"layout {case}", [PROGRAM, "layout", "check", path, "--size", size], naming="mine.yaml"))
    assert 0 in statuses and 65 in statuses, statuses


def test_bad_recipes_are_refused_before_anything_runs():
    draw = draws("bad recipes")
    folder, originals, statuses = folder_of("bad-recipes"), texts("recipes"), []
    for case in range(200 if IS_FULL else 40):
        path = written(os.path.join(folder, "mine.yaml"), mutated(draw.choice(originals), draw))
        arguments = [PROGRAM, "train", path, "--headless", "--runs", RUNS, "--data", os.path.join(folder, "none.txt")]
        statuses.append(attempt(f"recipe {case}", arguments))
    assert 65 in statuses and 66 in statuses and 0 not in statuses, statuses


def tried_texts(folder):
    """Names with paths that are no texts to learn from, or odd ones."""
    draw = draws("odd texts")
    verses = b"in the beginning was the word and the word was with god and so on it went\n" * 200
    for name, content in {
        "empty": b"", "a-byte": b"a", "newlines": b"\n" * 20_000, "spaces": b" " * 20_000, "zeros": bytes(20_000),
        "one-line": b"word " * 400_000, "one-word": b"a" * 2_000_000, "no-utf8": bytes([0x80, 0xff]) * 10_000,
        "noise": bytes(draw.randrange(256) for _ in range(50_000)), "surrogates": b"\xed\xa0\x80 " * 9000,
        "bom": b"\xef\xbb\xbf" + verses, "cut": verses + b"\xe2\x96", "reserved": "▁▅ ".encode() * 9000,
        "controls": bytes(range(32)) * 700, "crlf": verses.replace(b"\n", b"\r\n"),
        "planes": "".join(chr(0x20000 + number) for number in range(9000)).encode(),
    }.items():
        yield name, written(os.path.join(folder, name), content)
    for case in range(20 if IS_FULL else 5):
        yield f"mutated {case}", written(os.path.join(folder, f"mutated-{case}"), mutated(verses, draw))
    os.makedirs(os.path.join(folder, "nothing"))
    yield "a folder without files", os.path.join(folder, "nothing")
    os.mkfifo(os.path.join(folder, "pipe"))
    yield "a pipe", os.path.join(folder, "pipe")
    os.symlink("loop", os.path.join(folder, "loop"))
    yield "a link to itself", os.path.join(folder, "loop")
    os.symlink("nowhere", os.path.join(folder, "dangling"))
    yield "a link to nothing", os.path.join(folder, "dangling")
    within = os.path.join(folder, "round", "about")
    os.makedirs(within)
    os.symlink("../../round", os.path.join(within, "again"))
    os.mkfifo(os.path.join(within, "pipe"))
    written(os.path.join(within, "text"), verses)
    yield "a folder with a link to itself and a pipe", os.path.join(folder, "round")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.join(folder, "socket"))
    yield "a socket", os.path.join(folder, "socket")
    unreadable = written(os.path.join(folder, "unreadable"), verses)
    os.chmod(unreadable, 0)
    yield "a file without permissions", unreadable
    sparse = os.path.join(folder, "sparse")
    with open(sparse, "wb") as file:
        file.truncate(1 << 43)
    yield "a file larger than any memory", sparse
    for device in ("/dev/null", "/dev/zero", "/dev/tty", "/proc/self/mem", "/dev/full", "", "/", "\n", "x" * 5000):
        yield repr(device[:20]), device


def test_odd_texts_are_trained_on_or_refused():
    folder = folder_of("odd-texts")
    options = ["--steps", "1", "--headless", "--threads", "1", "--set", "model.context=16", "--set", "evaluate.every=0"]
    for name, path in tried_texts(folder):
        # The root of the file system is a folder like others, and a large one.
        if path == "/":
            continue
        # Where there is nothing to read, no tokenizer comes to it.
        is_text = os.path.isfile(path) or os.path.isdir(path)
        kinds = ("bytes", "characters", "sentencepiece") if is_text and not name.startswith("mutated") else ("bytes",)
        for kind in kinds:
            arguments = [PROGRAM, "train", "tiny", "--name", "odd", "--runs", os.path.join(folder, "runs"), "--data", path,
                         "--set", f"tokenizer.kind={kind}", "--set", "tokenizer.vocabulary=300", *options]
            attempt(f"{name}, {kind}", arguments)
            shutil.rmtree(os.path.join(folder, "runs"), ignore_errors=True)


def test_bad_token_files_are_refused():
    draw = draws("bad token files")
    folder, statuses = folder_of("bad-tokens"), []

    def header(magic, version, count):
        return struct.pack("<3i", magic, version, count) + bytes(1012)

    words = [draw.randrange(300) for _ in range(600)]
    originals = [struct.pack("<600H", *words), header(20240520, 1, 600) + struct.pack("<600H", *words),
                 header(20240801, 7, 600) + struct.pack("<600I", *words)]
    cases = [(f"mutated {case}", mutated(originals[case % 3], draw)) for case in range(90 if IS_FULL else 24)]
    for count in (0, -1, 1, 599, 601, 0x7FFFFFFF, -0x80000000):
        cases.append((f"count {count}", header(20240520, 1, count) + originals[0]))
    cases += [("version", header(20240520, 2, 600) + originals[0]), ("magic", header(20240521, 1, 600) + originals[0]),
              ("wide", header(20240801, 7, 600) + struct.pack("<600I", *[0xFFFFFFFF] * 600)), ("odd", b"abc"),
              ("pickle", b"\x80\x04K\x01."), ("empty", b"")]
    options = ["--set", "tokenizer.kind=tokens", "--set", "tokenizer.ids=400", "--set", "model.context=16",
               "--set", "sample.prompt=", "--set", "evaluate.every=0", "--steps", "1", "--headless", "--threads", "1"]

    def tried(name, path):
        statuses.append(attempt(
            name, [PROGRAM, "train", "tiny", "--name", "bin", "--runs", os.path.join(folder, "runs"), "--data", path, *options]))
        shutil.rmtree(os.path.join(folder, "runs"), ignore_errors=True)

    for name, content in cases:
        tried(name, written(os.path.join(folder, "train.bin"), content))
    os.mkfifo(os.path.join(folder, "pipe.bin"))
    tried("a pipe", os.path.join(folder, "pipe.bin"))
    tried("a device", "/dev/zero")
    tried("a folder", folder_of("bad-tokens-none"))
    assert 0 in statuses and 65 in statuses and 64 not in statuses, statuses


def test_damaged_sentencepiece_models_are_refused_or_work():
    draw = draws("damaged models")
    folder, statuses = folder_of("bad-models"), []
    options = ["--steps", "1", "--headless", "--threads", "1", "--set", "model.context=16", "--set", "evaluate.every=0",
               "--set", "tokenizer.kind=sentencepiece", "--set", "tokenizer.vocabulary=300"]
    runs = os.path.join(folder, "runs")
    run([PROGRAM, "train", "tiny", "--name", "model", "--runs", runs, "--data", TEXT, *options])
    run([PROGRAM, "export", "model", os.path.join(folder, "out"), "--to", "huggingface", "--runs", runs])
    with open(os.path.join(folder, "out/tokenizer.model"), "rb") as file:
        good = file.read()
    for case in range(60 if IS_FULL else 15):
        path = written(os.path.join(folder, "damaged.model"), mutated(good, draw))
        statuses.append(attempt(f"model {case}", [
            PROGRAM, "train", "tiny", "--name", "damaged", "--runs", runs, "--data", TEXT, "--set", f"tokenizer.model={path}",
            *options], naming="damaged.model"))
        shutil.rmtree(os.path.join(runs, "damaged"), ignore_errors=True)
    assert 65 in statuses, statuses


def test_damaged_checkpoints_of_others_are_refused_or_taken():
    draw = draws("damaged checkpoints")
    good, bad = os.path.join(FOLDER, "whole-llama"), folder_of("damaged-llama")
    runs, statuses = os.path.join(FOLDER, "damaged-runs"), []
    options = ["--steps", "1", "--headless", "--threads", "1", "--set", "precision=fp32", "--set", "model.width=16"]
    run([PROGRAM, "train", "tiny", "--name", "whole", "--runs", runs, "--data", TEXT, *options])
    run([PROGRAM, "export", "whole", good, "--to", "huggingface", "--runs", runs])
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    files = {}
    for name in names:
        with open(os.path.join(good, name), "rb") as file:
            files[name] = file.read()

    def tried(case, name, content):
        for other in names:
            written(os.path.join(bad, other), content if other == name else files[other])
        statuses.append(attempt(
            case, [PROGRAM, "import", bad, "--name", "damaged", "--runs", runs], naming="damaged-llama"))
        shutil.rmtree(os.path.join(runs, "damaged"), ignore_errors=True)

    for case in range(200 if IS_FULL else 45):
        name = names[case % 3]
        content = mutated(files[name], draw)
        if name == "model.safetensors" and draw.random() < 0.7:
            # The header is where the harm is.
            (length,) = struct.unpack("<Q", files[name][:8])
            header = mutated(files[name][8:8 + length], draw)
            content = struct.pack("<Q", len(header)) + header + files[name][8 + length:]
        tried(f"{name} {case}", name, content)
    whole = files["model.safetensors"]
    for length in (0, 1, 2, 100_000_000, 1 << 40, (1 << 64) - 1):
        tried(f"header of {length}", "model.safetensors", struct.pack("<Q", length) + whole[8:])
    for name in ("config.json", "tokenizer.json"):
        tried(f"{name}, deep", name, b'{"a":' * 100_000)
        tried(f"{name}, long", name, b'{"model_type":"' + b"a" * 3_000_000 + b'"}')
    for value in (float("nan"), float("inf")):
        tried(f"{value}", "model.safetensors", whole[:-4] + struct.pack("<f", value))
    settings = json.loads(files["config.json"])
    for key in settings:
        for value in (0, -1, 1 << 62, 1e300, "x", None, [], {}, True):
            if draw.random() < (0.15 if IS_FULL else 0.05):
                tried(f"{key}: {value}", "config.json", json.dumps({**settings, key: value}).encode())
    assert 0 in statuses and 65 in statuses, statuses
