#!/usr/bin/env python3
"""Predicts the share of the limit that a training step reaches on more cores: cores.py PROGRAM RECIPE [--set KEY=VALUE …] [--cores N,N,…].

Measured on two cores of this machine (foretop bench): the time of each part of a step with one thread, with two threads that have rows
of their own, and with two threads that work on the same rows (one row more than two threads divide). From these, with n threads:

  a part       = serial + (T₁ − serial) · imbalance / n,  serial = max(0, 2 T₂ − T₁),  but no less than its bytes take in memory
  sums         = their time with two threads · (n − 1) / memory(n), where threads have rows of their own
  waiting      = its share with two threads · E(n) / E(2), E(n): how far the slowest of n is behind the mean, as of normal deviates
  memory(n)    = how many times as fast as that of two cores: n / 2, up to --memory (an assumption, not measured)

Threads have rows of their own as the program decides it (NetworkPlan.isWorthwhile). Imbalance is that of rows, or of attention's groups
of heads. The result is a prediction, for machines whose cores are like this one's.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# Attention's products forward and backward: of the latter, groups of heads are the parts.
BACKWARD = 5 / 7


def ask(words):
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed:\n{result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def numbers(options):
    """The recipe's numbers that decide how threads divide a step."""
    found = {"rows": 16, "context": 256, "heads": 4}
    path = options.recipe if options.recipe.endswith(".yaml") else os.path.join(HERE, "..", "recipes", options.recipe + ".yaml")
    with open(path) as file:
        text = file.read()
    for name in (*found, "keyValueHeads"):
        line = re.search(rf"^\s+{name}:\s*(\d+)", text, re.M)
        found[name] = int(line[1]) if line else found.get(name, found["heads"])
    for change in options.set:
        key, _, value = change.partition("=")
        if key.split(".")[-1] in found and value.isdigit():
            found[key.split(".")[-1]] = int(value)
    return found


def parts(options, threads, rows=None):
    """Milliseconds of each part of a step, and their limits: {part: (ms, limit or None)}."""
    words = [options.program, "bench", options.recipe, "--threads", str(threads), "--rounds", str(options.rounds), "--json"]
    for change in options.set + ([f"batch.rows={rows}"] if rows else []):
        words += ["--set", change]
    print(f"cores: {threads} thread{'s' if threads > 1 else ''}{f', {rows} rows' if rows else ''}", file=sys.stderr, flush=True)
    return {row["part"]: (row["milliseconds"], row.get("limit")) for row in ask(words)["parts"]}


def behind(count):
    """How far the slowest of so many normal deviates is behind their mean, in standard deviations (Chen and Tyler 1999)."""
    return statistics.NormalDist().inv_cdf(0.5264 ** (1 / count))


def busiest(pieces, workers):
    """The work of the worker with most pieces, by the mean."""
    return -(-pieces // workers) * workers / pieces


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--cores", default="2,16,64")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=float, default=8, help="how many times as fast as two cores' all cores' memory is")
    options = parser.parse_args()
    sizes = numbers(options)
    rows = sizes["rows"]
    plan = ["plan", options.recipe, "--no-measure", "--json", "--threads", "2"]
    for change in options.set:
        plan += ["--set", change]
    memory = ask([options.program, *plan])["memory"]
    one = parts(options, 1)
    apart = parts(options, 2) if rows % 2 == 0 else None
    odd = rows + 1 - rows % 2
    together = {part: (ms * rows / odd, limit and limit * rows / odd) for part, (ms, limit) in parts(options, 2, odd).items()}

    def are_apart(count):
        copies = (count - 1) * memory.get("shares", 0)
        return apart and count <= rows and busiest(rows, count) <= 1.04 and copies <= 4 * memory["weights"]

    def predicted(count):
        """Milliseconds of each part."""
        two = apart if are_apart(count) else together
        faster = min(count / 2, options.memory)
        times = {}
        for part, (first, _) in one.items():
            if part in ("the step", "waiting, and the rest") or part not in two:
                continue
            second, limit = two[part]
            serial = min(max(0, 2 * second - first), second)
            imbalance = busiest(rows, count) if are_apart(count) else 1
            if part == "attention" and not are_apart(count):
                # Long contexts are cut into blocks of keys.
                pieces = rows * sizes["keyValueHeads"] * max(1, sizes["context"] // 512)
                imbalance = 1 - BACKWARD + BACKWARD * busiest(pieces, count)
            times[part] = serial + (first - serial) * imbalance / count
            if part not in ("products of linear layers", "attention", "Muon") and limit:
                # What stays in a cache takes less than its bytes would.
                times[part] = max(times[part], min(limit, second) / faster)
        sums = "threads' gradients, added up"
        if sums in two and are_apart(count):
            times[sums] = two[sums][0] * (count - 1) / faster
        rest = two["waiting, and the rest"][0] / (two["the step"][0] - two["waiting, and the rest"][0])
        times["waiting, and the rest"] = rest * behind(count) / behind(2) * sum(times.values())
        return times

    counts = [int(word) for word in options.cores.split(",")]
    columns = {count: predicted(count) for count in counts}
    limit = one["the step"][1]
    print(f"{options.recipe}: ms of a step; measured with 1 thread, predicted with more (memory up to {options.memory:g} × that of two cores)")
    print("| part | 1 | " + " | ".join(map(str, counts)) + " |")
    print("| --- | --- | " + " | ".join("---" for _ in counts) + " |")
    names = [part for part in one if part != "the step"]
    names += [part for part in dict.fromkeys(part for times in columns.values() for part in times) if part not in names]
    for part in names:
        cells = [f"{columns[count][part]:.2f}" if part in columns[count] else "" for count in counts]
        print(f"| {part} | {one[part][0] if part in one else 0:.2f} | " + " | ".join(cells) + " |")
    wholes = [one["the step"][0]] + [sum(columns[count].values()) for count in counts]
    print("| the step | " + " | ".join(f"{whole:.2f}" for whole in wholes) + " |")
    print("| share of the limit | " + " | ".join(
        f"{limit / count / whole * 100:.0f} %" for count, whole in zip([1] + counts, wholes)) + " |")
    print("| threads have | rows of their own | " + " | ".join(
        "rows of their own" if are_apart(count) else "the same rows" for count in counts) + " |")
    for name, two in (("rows of their own", apart), ("the same rows", together)):
        if two:
            print(f"measured with 2 threads and {name}: {two['the step'][0]:.2f} ms, {limit / 2 / two['the step'][0] * 100:.0f} % of the limit")


if __name__ == "__main__":
    main()
