"""Without a screen: lines, JSON, statuses and messages."""

import glob
import json
import os
import re
import shutil
import subprocess

from support import *


def test_terminals_that_cannot_show_a_screen_get_lines():
    for number, term in enumerate(("dumb", "no-such-terminal", None, "")):
        name = f"lines-{number}"
        with Terminal(train(name, "--steps", "20"), env={"TERM": term}) as terminal:
            assert terminal.finish() == 0, terminal.text
            terminal.assert_restored()
            assert b"\x1b" not in terminal.raw, "an escape sequence was printed"
            assert "step 20/20" in terminal.text, terminal.text
            assert "finished at step 20 of 20" in terminal.text, terminal.text


def test_lines_have_every_number_of_the_status_bar():
    result = run(train("numbers", "--steps", "20"))
    line = next(line for line in result.stdout.splitlines() if "step 20/20" in line)
    for pattern in (r"ntp \d\.\d+", r"top \d\.\d+", r"rate [\d.e-]+", r"tok/s", r"tokens"):
        assert re.search(pattern, line), f"{pattern} is not in {line}"
    assert "\x1b" not in result.stdout


def test_rates_losses_and_times_have_one_format_in_all_tables():
    options = ["--steps", "20", "--set", "schedule.rate=0.0003", "--set", "schedule.warmup=0", "--set", "schedule.kind=constant"]
    lines = run(train("formats", *options)).stdout
    run(train("formats-b", *options, "--set", "schedule.rate=0.00015"))
    tables = {
        "lines": lines,
        "metrics": run(command("inspect", "formats", "metrics")).stdout,
        "summary": run(command("inspect", "formats", "summary")).stdout,
        "checkpoints": run(command("inspect", "formats", "checkpoints")).stdout,
        "picture": run(command("inspect", "formats")).stdout,
        "runs": run(command("runs", "--columns", "name,schedule.rate,loss,best,changed")).stdout,
        "compare": run(command("compare", "formats", "formats-b")).stdout,
        "compared rates": run(command("compare", "formats", "formats-b", "--metric", "rate")).stdout,
        "diff": run(command("diff", "formats", "formats-b")).stdout,
        "eval": run([*command("eval", "formats"), "--data", TEXT, "--threads", "1"]).stdout,
        "plan": run([PROGRAM, "plan", "tiny", "--data", TEXT]).stdout,
    }
    rate = re.compile(r"(?<![\w.])(?:3\.0e-4|0\.0003|3e-0?4|0\.00030+)(?![\d])")
    for name in ("lines", "metrics", "runs", "compared rates", "compare", "diff"):
        found = rate.findall(tables[name])
        assert found and set(found) == {"3.0e-4"}, (name, found, tables[name])
    # The last loss, as the first line with it has it: three decimals, never more or fewer.
    loss = re.search(r"step 20/20.*?ntp (\d+\.\d+)", lines).group(1)
    assert re.fullmatch(r"\d\.\d{3}", loss), loss
    for name in ("metrics", "summary", "runs", "diff"):
        assert re.search(rf"(?<![\d.]){re.escape(loss)}(?!\d)", tables[name]), (name, loss, tables[name])
    for name, text in tables.items():
        # A time has the words of Figure: no decimals of minutes and hours, no seconds with more than one, no bare fractions.
        wrong = re.findall(r"\b\d+\.\d+ (?:min|h|m|days|years)\b|\b\d+\.\d{2,} m?s\b|\b\d+(?:min|sec|ms)\b", text)
        assert not wrong, (name, wrong, text)
        wrong = re.findall(r"(?:loss|ntp|top|total) (?:\d+\.\d{4,}|\d+\.\d{1,2}(?![\d]))", text)
        assert not wrong, (name, wrong, text)


def test_headless_prints_lines_on_a_terminal():
    with Terminal(train("headless", "--steps", "20", "--headless")) as terminal:
        assert terminal.finish() == 0
        assert b"\x1b" not in terminal.raw


def test_json_prints_an_object_a_line():
    result = run(train("json", "--steps", "60", "--json"))
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [event["event"] for event in objects]
    assert kinds[0] == "begin" and "end" in kinds and "heldout" in kinds, kinds
    steps = [event for event in objects if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, 61))
    for event in steps:
        assert set(event["loss"]) == {"total", "ntp", "top"}
        assert set(event["kl"]) == {"top"}
        assert event["tokens"] == event["step"] * 8 * 64
        for key in ("rate", "gradientNorm", "tokensPerSecond"):
            assert isinstance(event[key], (int, float)), event
        assert abs(event["loss"]["total"] - event["loss"]["ntp"] - event["loss"]["top"]) < 1e-4
    assert steps[-1]["loss"]["ntp"] < steps[0]["loss"]["ntp"]
    assert [event["number"] for event in objects] == list(range(1, len(objects) + 1))
    for event in objects:
        del event["number"]
    stored = [event for event in events("json", "step")]
    assert stored == steps, "what was printed is not what was stored"
    assert result.stderr == "", result.stderr


def test_the_same_recipe_gives_the_same_losses():
    losses = []
    for name in ("again-1", "again-2"):
        run(train(name, "--steps", "20", "--headless"))
        losses.append([event["loss"] for event in events(name, "step")])
    assert losses[0] == losses[1]


def test_a_stopped_run_goes_on_where_it_stopped():
    run(train("resumed", "--steps", "40", "--headless", "--set", "schedule.kind=constant"))
    refused = run(command("resume", "resumed", "--headless"), status=64)
    assert "--steps" in refused.stderr, refused.stderr
    run(command("resume", "resumed", "--headless", "--steps", "60"))
    steps = [event["step"] for event in events("resumed", "step")]
    assert steps == list(range(1, 61)), steps
    assert state("resumed")["state"] == "finished"
    refused = run(command("resume", "resumed", "--steps", "80", "--set", "model.width=32"), status=64)
    assert "model.width cannot change" in refused.stderr, refused.stderr


def test_runs_are_listed():
    run(train("listed", "--steps", "5", "--headless"))
    summary = state("listed")
    assert summary["state"] == "finished" and summary["step"] == 5 and summary["steps"] == 5, summary
    assert set(summary["loss"]) == {"ntp", "top"}
    table = run(command("runs")).stdout
    assert re.search(r"^listed\s+finished\s+5/5", table, re.M), table
    empty = run([PROGRAM, "runs", "--runs", os.path.join(FOLDER, "none")]).stdout
    assert "foretop train" in empty


def test_inspecting_without_a_terminal_prints_the_panels():
    run(train("picture", "--steps", "60", "--headless"))
    text = run(command("inspect", "picture")).stdout
    for word in ("picture", "losses", "finished", "ntp"):
        assert word in text, text
    assert "\x1b" not in text


def test_eval_generate_and_tokenize_answer_as_agreed():
    run(train("answers", "--steps", "30", "--headless"))
    tokens = json.loads(run(command("tokenize", "answers", TEXT, "--json")).stdout)["tokens"]
    assert len(tokens) == os.path.getsize(TEXT)
    answer = json.loads(run(command("eval", "answers", "--data", TEXT, "--json")).stdout)
    assert set(answer) == {"loss", "kl", "accuracy", "order", "positions"}, answer
    assert set(answer["loss"]) == {"ntp", "top"} and set(answer["kl"]) == {"top"}
    # Windows that are whole and have the token after each of theirs.
    assert answer["positions"] in (len(tokens) // 64 * 64, (len(tokens) - 1) // 64 * 64), answer
    assert json.loads(run(command("eval", "answers", "--json")).stdout)["positions"] > 0
    first = run(command("generate", "answers", "--prompt", "and the ", "--tokens", "20", "--seed", "3")).stdout
    assert first.startswith("and the ") and len(first) >= 28, first
    assert first == run(command("generate", "answers", "--prompt", "and the ", "--tokens", "20", "--seed", "3")).stdout
    assert first != run(command("generate", "answers", "--prompt", "and the ", "--tokens", "20", "--seed", "4")).stdout


def test_bad_input_gets_a_sentence_and_a_status():
    bad = os.path.join(FOLDER, "bad.yaml")
    with open(bad, "w") as file:
        file.write("model:\n  widht: 64\n")
    empty = os.path.join(FOLDER, "empty.txt")
    open(empty, "w").close()
    short = os.path.join(FOLDER, "short.txt")
    with open(short, "w") as file:
        file.write("too short")
    run(train("taken", "--steps", "3", "--headless"))
    runs = ["--runs", RUNS]
    cases = [
        (["train", "tiyn"], 66, ["tiyn", "did you mean tiny"]),
        (["train", "/no/such.yaml"], 66, ["/no/such.yaml"]),
        (["train", bad, *runs], 65, ["bad.yaml:2", "model.width"]),
        (["train", "tiny", *runs, "--set", "model.widht=3"], 64, ["model.width"]),
        (["train", "tiny", *runs, "--set", "steps=0"], 64, ["from 1 to"]),
        (["train", "tiny", *runs, "--set", "model.width=33"], 64, ["--set model.width=33: ", "model.heads"]),
        (["train", "tiny", *runs, "--set", "model.headWidth=7"], 64, ["--set model.headWidth=7: "]),
        (["plan", "tiny", "--set", "tokenizer.kind=tokens"], 64, ["--set tokenizer.kind=tokens: "]),
        (["train", "tiny", *runs, "--steps", "some"], 64, ["steps"]),
        (["train", "tiny", *runs, "--name", "taken", "--data", TEXT], 73, ["taken", "resume"]),
        (["train", "tiny", *runs, "--name", "a/b"], 64, ["a/b"]),
        (["train", "tiny", *runs, "--data", "/no/such.txt"], 66, ["/no/such.txt"]),
        (["train", "tiny", *runs, "--data", empty], 65, ["empty.txt"]),
        (["train", "tiny", *runs, "--data", short], 65, ["short.txt"]),
        (["train", "tiny", *runs, "--layout", "trian"], 66, ["did you mean train"]),
        (["train", "tiny", *runs, "--threads", "0"], 64, ["threads"]),
        (["train", "tiny", *runs, "--threads", "-1"], 64, ["--threads must be from 1"]),
        (["train", "tiny", *runs, "--steps", "-1"], 64, ["--steps -1: steps must be", "from 1 to"]),
        (["train", "tiny", *runs, "--seed", "-1"], 64, ["--seed -1: seed must be", "from 0 to"]),
        (["train", "tiny", *runs, "--set", "model=5"], 64, ["model is a section", "model.kind"]),
        (["train", "tiny", "--runs", ""], 64, ["--runs is empty"]),
        (["train", "tiny", *runs, "--data", ""], 64, ["--data PATH"]),
        (["train", "/"], 66, ["/ is a folder"]),
        (["train", "--no-such-option"], 64, ["no-such-option"]),
        (["trian"], 64, ["did you mean “train”"]),
        (["resume", "tkaen", *runs], 66, ["did you mean taken"]),
        (["inspect", "nothing-like-it", *runs], 66, ["foretop runs"]),
        (["eval", "taken", *runs, "--data", "/no/such.txt"], 66, ["/no/such.txt"]),
        (["eval", "taken", *runs, "--data", short], 65, ["tokens"]),
        (["generate", "taken", *runs, "--prompt", ""], 64, ["prompt"]),
        (["generate", "taken", *runs, "--prompt", "a", "--temperature", "-1"], 64, ["--temperature must be from 0"]),
        (["generate", "taken", *runs, "--prompt", "a", "--tokens", "-1"], 64, ["--tokens must be from 0"]),
        (["tokenize", "taken", "/no/such.txt", *runs], 66, ["/no/such.txt"]),
        (["layout", "check", "/no/such.yaml"], 66, ["/no/such.yaml"]),
        (["layout", "check", bad], 65, ["bad.yaml:1"]),
    ]
    for arguments, status, words in cases:
        if arguments[0] == "train":
            arguments = [*arguments, "--headless"] if "--headless" not in arguments else arguments
        result = run([PROGRAM, *arguments], status=status)
        assert result.stderr.startswith("foretop: "), result.stderr
        for word in words:
            assert word in result.stderr, f"{' '.join(arguments)}: “{word}” is not in: {result.stderr}"
        assert result.stderr.count("\n") == 1, f"more than one line: {result.stderr}"


def test_another_text_than_before_is_told_of():
    other = os.path.join(FOLDER, "other.txt")
    with open(TEXT) as source, open(other, "w") as file:
        file.write(source.read())
    arguments = train("moved", "--headless", "--set", "schedule.kind=constant")
    run([*arguments, "--data", other, "--steps", "10"])
    run(command("resume", "moved", "--headless", "--steps", "15"))
    assert not occurrences("moved", "warning")
    with open(other, "a") as file:
        file.write("and so on\n")
    run(command("resume", "moved", "--headless", "--steps", "20"))
    assert ["the text has changed" in event["text"] for event in occurrences("moved", "warning")] == [True]


def test_a_damaged_run_says_what_is_left():
    run(train("damaged", "--headless", "--steps", "10"))
    with open(os.path.join(RUNS, "damaged", "run.h5"), "r+b") as file:
        file.truncate(3000)
    for verb in (["inspect"], ["resume", "--headless", "--steps", "20"]):
        result = run([PROGRAM, verb[0], "damaged", *verb[1:], "--runs", RUNS], status=74)
        assert "damaged/run.h5" in result.stderr and "damaged/checkpoints" in result.stderr, result.stderr
    shutil.rmtree(os.path.join(RUNS, "damaged"))


def test_every_command_has_help():
    for verb in ([], ["train"], ["resume"], ["runs"], ["inspect"], ["eval"], ["generate"], ["tokenize"], ["layout", "check"],
                 ["verify"], ["recover"], ["snapshot"], ["tensors"], ["diff"], ["rm"], ["prune"], ["export"]):
        assert "USAGE: foretop" in run([PROGRAM, *verb, "--help"]).stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run([PROGRAM, "--version"]).stdout)


def test_the_program_finds_its_files_from_everywhere():
    run(train("elsewhere", "--steps", "3", "--headless"), cwd="/")
    assert "losses" in run([PROGRAM, "layout", "check", os.path.join(ROOT, "layouts/train.yaml")],
                           cwd="/").stdout


def failing_products(after):
    """The environment in which oneDNN runs out of memory after so many products."""
    source, library = os.path.join(FOLDER, "products.c"), os.path.join(FOLDER, "products.so")
    with open(source, "w") as file:
        file.write("""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <stdlib.h>
            int dnnl_primitive_execute(void *primitive, void *stream, int count, void *arguments) {
              static int (*real)(void *, void *, int, void *);
              static _Atomic int left = -1;
              if (left == -1) left = atoi(getenv("PRODUCTS"));
              if (!real) *(void **)&real = dlsym(RTLD_NEXT, "dnnl_primitive_execute");
              if (left == 0) return 1;
              left--;
              return real(primitive, stream, count, arguments);
            }
            """)
    compiler = shutil.which("clang") or shutil.which("cc")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    return dict(os.environ, LD_PRELOAD=library, PRODUCTS=str(after))


def test_a_product_that_fails_ends_the_run_before_it_learns_from_what_is_left():
    often = ["--steps", "60", "--set", "save.every=5", "--set", "evaluate.every=0", "--headless"]
    run(train("products", *often))
    said = run(train("no products", *often), status=74, env=failing_products(1500))
    assert "oneDNN could not compute a matrix product: memory ran out" in said.stdout + said.stderr, said
    whole = [event["loss"] for event in events("products", "step")]
    cut = [event["loss"] for event in events("no products", "step")]
    assert 0 < len(cut) < 60 and cut == whole[:len(cut)], (len(cut), len(whole))
    assert occurrences("no products", "failure"), events("no products")
    # What is measured is refused as well.
    run(command("eval", "products", "--data", TEXT), status=69, env=failing_products(3))
    for arguments in (["tiny", "--rounds", "1", "--data", TEXT], ["--workload", "ntp fp32", "--rounds", "1"], ["--only", "limit"]):
        bench = run([PROGRAM, "bench", *arguments], status=69, env=failing_products(3))
        assert "oneDNN could not compute a matrix product" in bench.stderr and bench.stdout == "", bench


def test_a_bench_that_is_told_to_end_leaves_nothing_running():
    bench = subprocess.Popen(
        [PROGRAM, "bench", "--only", "screen", "--runs", RUNS], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    folder = f".bench-screen-{bench.pid}"

    def trainers():
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"train" in words and any(folder.encode() in word for word in words):
                found.append(path)
        return found

    try:
        wait_until(lambda: os.path.exists(os.path.join(RUNS, folder, "keys", "run.h5")), "the bench trains")
        assert trainers()
        bench.terminate()
        assert bench.wait(PATIENCE) == 143
        wait_until(lambda: not trainers(), trainers)
    finally:
        bench.kill()
        bench.stdout.close()
    # The next one takes away what a killed one left.
    assert os.path.exists(os.path.join(RUNS, folder))
    next_one = subprocess.Popen([PROGRAM, "bench", "--only", "screen", "--runs", RUNS], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not os.path.exists(os.path.join(RUNS, folder)), "the folder of a killed bench is removed")
    finally:
        next_one.terminate()
        next_one.wait(PATIENCE)
