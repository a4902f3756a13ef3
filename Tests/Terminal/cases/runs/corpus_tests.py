"""Texts and tokens that change under a run, that have odd names, or whose cache has no place."""

import os
import random
import signal
import struct
import subprocess

from support import *
from support import run as finished

BYTES = ["--set", "tokenizer.kind=bytes", "--set", "model.context=32"]
TOKENS = ["--set", "tokenizer.kind=tokens", "--set", "model.context=32", "--set", "evaluate.every=0", "--set", "sample.prompt="]


def tokens_file(name, count=200_000, below=500):
    draw = random.Random(21)
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as file:
        file.write(struct.pack(f"<{count}H", *(draw.randrange(below) for _ in range(count))))
    return path


def train_on(name, data, *options):
    return train(name, "--headless", *options, data=data)


def started(name, data, *options, env=None):
    """A run without a terminal that takes steps."""
    process = subprocess.Popen(
        train_on(name, data, "--json", *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})})
    for line in process.stdout:
        if '"event":"step"' in line.replace(" ", ""):
            return process
    raise AssertionError(f"{name} ended before its first step: {process.stderr.read()}")


def ends_with_a_sentence(process, name, path, words):
    """A run ends by itself with status 65, says why, and has a checkpoint of the step that it got to."""
    _, said = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 65, f"{process.returncode}: {said}"
    assert path in said and words in said, said
    assert "Fatal" not in said and "SIGBUS" not in said, said
    failures = occurrences(name, "failure")
    assert len(failures) == 1 and path in failures[0]["text"] and "is saved at step" in failures[0]["text"], failures
    assert checkpoints(name) and checkpoints(name)[-1] == failures[0]["step"], (checkpoints(name), failures)
    finished(command("verify", name))


def test_a_token_file_that_is_cut_short_ends_the_run_saved_and_with_a_sentence():
    path = tokens_file("short.bin")
    process = started("cut", path, *ENDLESS, *TOKENS)
    os.truncate(path, 100)
    ends_with_a_sentence(process, "cut", path, "was truncated while it was in use: it has 100 bytes, and had 400000")
    refused = finished(command("resume", "cut", "--headless"), status=65)
    assert path in refused.stderr or "short.bin" in refused.stderr, refused.stderr


def test_a_token_file_that_is_overwritten_in_place_ends_the_run_before_anything_is_learned_from_it():
    path = tokens_file("over.bin")
    original = open(path, "rb").read()
    process = started("overwritten", path, *ENDLESS, *TOKENS)
    with open(path, "r+b") as file:
        file.write(b"\xff" * len(original))
    ends_with_a_sentence(process, "overwritten", path, "was written to while it was in use")
    # What it had learned by then is sound.
    losses = [step["loss"]["total"] for step in events("overwritten", "step")]
    assert min(losses) > 1, min(losses)
    refused = finished(command("resume", "overwritten", "--headless", "--steps", "1000001"), status=65)
    assert "has token 65535 at place 0" in refused.stderr and path in refused.stderr, refused.stderr
    refused = finished(command("eval", "overwritten"), status=65)
    assert "has token 65535 at place 0" in refused.stderr, refused.stderr
    with open(path, "r+b") as file:
        file.write(original)
    step = checkpoints("overwritten")[-1] + 3
    finished(command("resume", "overwritten", "--headless", "--steps", str(step)))


def test_a_cache_file_that_is_cut_short_ends_the_run_saved_and_is_made_anew():
    cache = os.path.join(FOLDER, "own-cache")
    before = os.environ["XDG_CACHE_HOME"]
    os.environ["XDG_CACHE_HOME"] = cache
    try:
        process = started("cached", TEXT, *ENDLESS, *BYTES)
        (file,) = (name for name in os.listdir(cache + "/foretop") if name.endswith(".tokens"))
        path = os.path.join(cache, "foretop", file)
        os.truncate(path, 200)
        ends_with_a_sentence(process, "cached", path, "was truncated while it was in use")
        finished(command("resume", "cached", "--headless", "--steps", str(checkpoints("cached")[-1] + 3)))
    finally:
        os.environ["XDG_CACHE_HOME"] = before


def test_a_token_file_is_read_once_before_the_first_step():
    path = tokens_file("once.bin", count=8_000_000)
    process = started("once", path, *ENDLESS, *TOKENS)
    with open(f"/proc/{process.pid}/io") as file:
        read = int(dict(line.split(": ") for line in file.read().splitlines())["rchar"])
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 143, said
    assert 16_000_000 <= read < 24_000_000, read


def test_a_start_on_known_texts_reads_none_of_them():
    def repeated(name, piece):
        path = os.path.join(FOLDER, name)
        with open(piece, "rb") as file:
            bytes = file.read()
        with open(path, "wb") as file:
            while file.tell() < 16_000_000:
                file.write(bytes)
        return path

    for path, options in ((repeated("known.txt", TEXT), BYTES), (repeated("known.bin", tokens_file("some.bin")), TOKENS)):
        cache = os.path.join(FOLDER, "cache-of-" + os.path.basename(path))
        number = 0

        def read():
            nonlocal number
            number += 1
            process = started(f"known-{number}-{os.path.basename(path)}", path, *ENDLESS, *options, env={"XDG_CACHE_HOME": cache})
            with open(f"/proc/{process.pid}/io") as file:
                count = int(dict(line.split(": ") for line in file.read().splitlines())["rchar"])
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=4 * PATIENCE)
            assert process.returncode == 143, said
            return count

        assert read() >= 16_000_000
        # Files that have just changed are read once more. What identifies the tokens takes some of them.
        wait_until(lambda: read() < 6_000_000, f"{path} is known")


def test_a_related_order_asks_about_near_duplicates_and_both_sides_have_the_same_text():
    path = os.path.join(FOLDER, "documents.txt")
    draw = random.Random(7)
    # Eight topics, each with letters of its own.
    letters = "abcdefghijklmnopqrstuvwx"
    documents = ["".join(draw.choice(letters[n % 8 * 3:n % 8 * 3 + 3] + "...") for _ in range(200)) for n in range(60)]
    with open(path, "w") as file:
        file.write("\n\n".join(documents[:50] + documents[:10] + documents[50:]))
    divided = ["--set", "data.separator=\n\n", "--set", "data.heldOut=0.05"]
    related = [*divided, "--set", "data.order=related"]
    begin = train_on("undecided", path, "--steps", "2", *related)
    for asked in (begin, [PROGRAM, "plan", "tiny", "--no-measure", "--data", path, *related]):
        refused = finished(asked, status=64)
        assert "data.order related puts documents side by side" in refused.stderr, refused.stderr
        assert "set data.deduplicate to true, also in the run that this one is compared with" in refused.stderr, refused.stderr
    assert not os.path.exists(os.path.join(RUNS, "undecided"))
    tokens = {}
    for name, order, deduplicate in (("kept", "related", "false"), ("related", "related", "true"), ("random", "random", "true")):
        finished(train_on(f"order-{name}", path, "--steps", "2", *divided, "--set", f"data.order={order}", "--set",
                          f"data.deduplicate={deduplicate}"))
        tokens[name] = events(f"order-{name}", "begin")[0]["trainingTokens"]
    assert tokens["related"] == tokens["random"] < tokens["kept"], tokens


def test_a_home_that_cannot_be_written_stops_nothing():
    environment = {key: value for key, value in os.environ.items() if key != "XDG_CACHE_HOME"} | {"HOME": "/proc"}
    short = ["--steps", "3", "--set", "tokenizer.kind=sentencepiece", "--set", "tokenizer.vocabulary=270", "--set", "model.context=32"]
    finished(train_on("homeless", TEXT, *short), env=environment)
    notices = [notice["text"] for notice in occurrences("homeless", "notice") if "cache" in notice["text"]]
    assert len(notices) == 1, notices
    for word in ("/proc/.cache/foretop", RUNS + "/.cache", "XDG_CACHE_HOME"):
        assert word in notices[0], notices
    def cached():
        return sorted(name for name in os.listdir(RUNS + "/.cache") if not name.endswith((".texts", ".census")))

    kept = cached()
    assert len(kept) == 2, kept
    finished(command("resume", "homeless", "--headless", "--steps", "5"), env=environment)
    evaluated = finished(command("eval", "homeless"), env=environment)
    assert "ntp" in evaluated.stdout and not complaints(evaluated), evaluated.stderr
    assert cached() == kept
    assert ".cache" not in finished(command("runs")).stdout


def test_a_text_whose_name_is_not_utf8_is_learned_from_and_gone_on_with():
    folder = os.path.join(FOLDER, "odd-names")
    os.makedirs(folder)
    path = os.fsencode(folder) + b"/caf\xe9.txt"
    with open(path, "wb") as file, open(TEXT, "rb") as text:
        file.write(text.read())
    for name, data in (("odd-name", path), ("odd-folder", os.fsencode(folder))):
        finished([*train_on(name, data, "--steps", "2", *BYTES)])
        finished(command("resume", name, "--headless", "--steps", "4"))
        finished(command("eval", name))
    assert os.listdir(os.fsencode(folder)) == [b"caf\xe9.txt"]
    refused = finished(train_on("odd-none", path + b"\xff", "--steps", "2", *BYTES), status=66)
    assert "caf\\xE9.txt\\xFF" in refused.stderr, refused.stderr


def test_of_a_long_prompt_the_last_tokens_that_the_context_holds_count():
    finished(train_on("prompted", TEXT, "--steps", "2", *BYTES))
    with open(TEXT, "rb") as file:
        text = file.read(80_000)

    def written(prompt):
        arguments = command("generate", "prompted", "--prompt", prompt, "--tokens", "20")
        said = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True).stdout
        assert said.startswith(prompt), said[:100]
        return said[len(prompt):]

    assert written(text) == written(text[-32:])


def test_a_compressed_text_is_learned_from_as_its_text():
    path = os.path.join(FOLDER, "text.txt.gz")
    subprocess.run(["gzip", "-kc", TEXT], stdout=open(path, "wb"), check=True)
    finished(train_on("packed", path, "--steps", "2", *BYTES))
    finished(train_on("plain", TEXT, "--steps", "2", *BYTES))
    assert [event["loss"] for event in events("packed", "step")] == [event["loss"] for event in events("plain", "step")]
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    refused = finished(train_on("damaged", path, "--steps", "2", *BYTES), status=65)
    assert "ends in the middle" in refused.stderr and path in refused.stderr, refused.stderr
    assert not os.path.exists(os.path.join(RUNS, "damaged")), "a run was begun"


def test_star_graphs_are_trained_on_stored_resumed_and_exported():
    graphs = ["--runs", RUNS, "--threads", "1", "--headless", "--set", "batch.rows=8", "--set", "data.graph.test=32",
              "--set", "evaluate.every=4", "--set", "sample.every=4", "--set", "model.blocks=1"]
    said = finished([PROGRAM, "train", "stargraph-quick", "--name", "graphs", "--steps", "8", *graphs]).stdout
    assert "star graphs G(2,4) of 8 nodes" in said and "  paths ." in said, said
    finished(command("verify", "graphs"))
    evaluations = events("graphs", "heldout")
    assert [event["step"] for event in evaluations] == [4, 8], evaluations
    for event in evaluations:
        shares = [event["accuracy"][key] for key in ("path-1", "path-2", "path-3", "path")]
        assert shares == sorted(shares, reverse=True) and all(0 <= share <= 1 for share in shares), event
    finished([PROGRAM, "resume", "graphs", "--steps", "12", "--runs", RUNS, "--headless"])
    assert [event["step"] for event in events("graphs", "heldout")] == [4, 8, 12]
    whole = ["--runs", RUNS, "--name", "whole", "--steps", "12"]
    finished([PROGRAM, "train", "stargraph-quick", *whole, *graphs[2:]])
    assert [event["loss"] for event in events("whole", "step")] == [event["loss"] for event in events("graphs", "step")]
    out = os.path.join(FOLDER, "graphs.csv")
    finished(command("export", "graphs", out, "--to", "csv"))
    with open(out) as file:
        assert "heldout/accuracy/path" in file.readline().strip().split(",")
    path = '"path":['
    assert path in finished([*command("eval", "graphs"), "--json"]).stdout
    wrong = finished([PROGRAM, "train", "stargraph-quick", "--runs", RUNS, "--data", TEXT], status=64)
    assert "data.kind is stargraph" in wrong.stderr, wrong.stderr
