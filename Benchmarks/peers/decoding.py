"""foretop beside llama.cpp: reading a prompt and writing tokens with the network of “small”, in alternating runs.

    decoding.py PROGRAM [--turns N] [--rounds N] [--threads N] [--json]

foretop measures itself (`bench --only reading,decoding`), llama.cpp the GGUF file of such a network that foretop exports. Each run is
a process of its own; a cell is the median of its turns. Both precisions are compared where the CPU has bf16, else fp32 alone. Where
llama-cpp-python is not installed, nothing is compared, and it is said.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# As in Sources/Benchmark: tokens of the prompt that is read; tokens that are written, and those before them.
PROMPT, AFTER, TOKENS = 1000, 64, 64


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not importlib.util.find_spec("llama_cpp"):
        say("llama-cpp-python is not installed: decoding is not compared with llama.cpp. “make .venv-peers/llama” builds it")
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = os.path.join(folder, "runs")
        say("a network of “small”")
        output([options.program, "train", "small", "--name", "small", "--runs", runs, "--steps", "1", "--headless",
                "--set", "batch.rows=1", "--set", f"model.context={PROMPT}", "--set", "evaluate.every=0",
                "--set", "sample.every=0", "--set", "objective.top=0"])
        found = {}
        for turn in range(options.turns):
            say(f"turn {turn + 1} of {options.turns}, foretop")
            ours = json.loads(output([options.program, "bench", "--only", "reading,decoding", "--json", "--threads",
                                      str(options.threads)]))
            for reading, decoding in zip(ours["reading"], ours["decoding"]):
                precision = decoding["precision"]
                row = found.setdefault(precision, {"foretop": [], "limit": [], "llama.cpp": []})
                row["foretop"].append((reading["prefillTokensPerSecond"], decoding["tokensPerSecond"]))
                row["limit"].append(decoding["limitTokensPerSecond"])
            for precision, row in found.items():
                say(f"turn {turn + 1} of {options.turns}, llama.cpp in {precision}")
                model = os.path.join(folder, f"{precision}.gguf")
                if not os.path.exists(model):
                    output([options.program, "export", "small", model, "--to", "gguf", "--type",
                            {"fp32": "f32", "bf16": "bf16"}[precision], "--runs", runs])
                theirs = json.loads(output(
                    [sys.executable, os.path.join(HERE, "llama_cpp_speed.py"), model, "--prompt", str(PROMPT), "--after",
                     str(AFTER), "--tokens", str(TOKENS), "--rounds", str(options.rounds), "--threads", str(options.threads)]
                ).splitlines()[-1])
                row["llama.cpp"].append((theirs["prefill"], theirs["decode"]))
                version = theirs["version"]
    table = []
    for precision, row in found.items():
        ours, theirs = ([statistics.median(column) for column in zip(*row[side])] for side in ("foretop", "llama.cpp"))
        table.append({
            "precision": precision, "prefill": ours[0], "llamaPrefill": theirs[0], "prefillRatio": ours[0] / theirs[0],
            "decode": ours[1], "llamaDecode": theirs[1], "decodeRatio": ours[1] / theirs[1],
            "limit": statistics.median(row["limit"]),
        })
    if options.json:
        print(json.dumps({"llamaCppPython": version, "turns": options.turns, "decoding": table}))
        return
    print(f"llama-cpp-python {version}; {options.turns} turns, {options.threads} threads; a prompt of {PROMPT}, then {TOKENS} tokens after {AFTER}")
    print("| | prompt, tokens/s | llama.cpp | ratio | written, tokens/s | llama.cpp | ratio | memory limit |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in table:
        print(f"| {row['precision']} | {row['prefill']:.0f} | {row['llamaPrefill']:.0f} | {row['prefillRatio']:.2f} | "
              f"{row['decode']:.0f} | {row['llamaDecode']:.0f} | {row['decodeRatio']:.2f} | {row['limit']:.0f} |")


if __name__ == "__main__":
    main()
