"""How long until a loss: foretop and PyTorch, each with its optimizers at their best rates, on `recipes/nanogpt-cpu.yaml`.

    to_a_loss.py PROGRAM [--steps N] [--seeds N] [--rates R,R,…] [--threads N] [--text FILE] [--json]

The goal is the held-out loss that the shipped recipe (AdamW at its own rate, foretop) has after all its steps. Each contestant
trains with every rate; the one that is at the goal first, or else has the lowest final loss, is trained with further seeds, in turns.
Seconds are those of training steps; evaluations, starts and compiling are not counted. The place where evaluations cross the goal is
interpolated in a straight line between two of them. Progress goes to standard error.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from optimizers import crossing, train  # noqa: E402
from compare import NANOGPT, has_compiler  # noqa: E402


def contestants():
    """Names, each with its side and optimizer."""
    sides = ["foretop", "PyTorch" + (" compiled" if has_compiler() else "")]
    return {f"{side}, {kind}": (side, kind) for side in sides for kind in ("adamw", "muon")}


def evaluations(options, side, kind, rate, seed):
    """(tokens, seconds of training, held-out loss), one after the other."""
    if side == "foretop":
        options.recipe = NANOGPT
        options.set = [f"steps={options.steps}", f"evaluate.every={options.every}", f"data.paths=[{options.text}]"]
        return train(options, kind, rate, seed)
    command = [sys.executable, os.path.join(HERE, "nanogpt_cpu.py"), options.text, "--steps", str(options.steps), "--seed", str(seed),
               "--threads", str(options.threads), "--optimizer", kind, "--rate", str(rate), "--every", str(options.every), "--json"]
    command += ["--compile"] if side.endswith("compiled") else []
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [tuple(row) for row in json.loads(result.stdout.splitlines()[-1])["evaluations"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rates", default="1e-3,2e-3,4e-3")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--text", default=os.path.abspath(os.path.join(HERE, "..", "..", "corpora", "kjv.txt")))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.every = max(options.steps // 20, 1)
    rates = [float(rate) for rate in options.rates.split(",")]

    def say(text):
        print(f"peers: {text}", file=sys.stderr, flush=True)

    say("the goal")
    goal = evaluations(options, "foretop", "adamw", 1e-3, 1)[-1][2]
    say(f"held-out loss {goal:.4f}")
    best, found = {}, {}
    for name, (side, kind) in contestants().items():
        tried = {}
        for rate in rates:
            rows = evaluations(options, side, kind, rate, 1)
            tried[rate] = (crossing(rows, goal), rows[-1][2])
            say(f"{name}, rate {rate:g}: final loss {rows[-1][2]:.4f}" + (f", goal after {tried[rate][0][1]:.1f} s" if tried[rate][0] else ""))
        best[name] = min(rates, key=lambda rate: (tried[rate][0][1] if tried[rate][0] else float("inf"), tried[rate][1]))
        found[name] = [tried[best[name]][0]]
    for seed in range(2, options.seeds + 1):
        for name, (side, kind) in contestants().items():
            found[name].append(crossing(evaluations(options, side, kind, best[name], seed), goal))
    table = []
    for name, reached in found.items():
        isReached = all(reached)
        table.append(
            {
                "contestant": name, "rate": best[name], "reached": sum(place is not None for place in reached), "of": len(reached),
                "tokens": statistics.median(place[0] for place in reached) if isReached else None,
                "seconds": statistics.median(place[1] for place in reached) if isReached else None,
            }
        )
    fastest = min((row["seconds"] for row in table if row["seconds"]), default=None)
    if options.json:
        print(json.dumps({"goal": goal, "steps": options.steps, "contestants": table}))
        return
    print(f"{NANOGPT}, {options.steps} steps, {options.threads} threads: until a held-out loss of {goal:.4f} ({options.seeds} seeds)")
    print(f"{'':28}{'rate':>8}{'tokens':>12}{'seconds':>10}{'ratio':>8}")
    for row in sorted(table, key=lambda row: row["seconds"] or float("inf")):
        line = f"{row['contestant']:28}{row['rate']:8g}"
        if row["seconds"]:
            print(line + f"{row['tokens']:12,.0f}{row['seconds']:10.1f}{row['seconds'] / fastest:8.2f}".replace(",", " "))
        else:
            print(line + f"  reached by {row['reached']} of {row['of']} seeds")


if __name__ == "__main__":
    main()
