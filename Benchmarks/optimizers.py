"""Muon beside AdamW on a recipe: how many tokens and seconds until AdamW's final held-out loss, each at its best rate.

    optimizers.py PROGRAM RECIPE --rates R,R,… [--seeds N] [--threads N] [--out FILE] [--set KEY=VALUE …]

For each optimizer, each rate of the grid is tried with the first seed; the best rate, and its neighbours where it is at the
grid's edge, is then trained with all seeds. AdamW's final held-out loss of a seed is the goal of that seed; the place where
Muon's evaluations cross it is interpolated in a straight line between two of them. Tokens and time are compared as ratios:
those of Muon until it has the goal over those of AdamW's whole run. Time is the time of training alone (“active”), without
evaluations. Runs take turns, so that a busy machine slows both. Results are appended to FILE, and what is there is not run again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

KINDS = ("adamw", "muon")


def train(options, kind, rate, seed):
    """A run's evaluations, as (tokens, seconds of training, held-out loss of the first head)."""
    settings = [f"optimizer.kind={kind}", f"schedule.rate={rate}", f"seed={seed}", "save.every=0", "sample.every=0"] + options.set
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        command = [options.program, "train", options.recipe, "--json", "--threads", str(options.threads), "--runs", folder]
        for setting in settings:
            command += ["--set", setting]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        step, evaluations = {}, []
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "step":
                step[event["step"]] = (event["tokens"], event["active"])
            elif event["event"] == "heldout":
                tokens, active = step.get(event["step"], (0, 0.0))
                evaluations.append((tokens, active, event["loss"]["ntp"]))
        if process.wait() not in (0, 1):
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()[-2000:]}")
    return evaluations


def crossing(evaluations, goal):
    """Tokens and seconds at which the held-out loss is the goal; None where it never is."""
    for before, after in zip(evaluations, evaluations[1:]):
        if after[2] <= goal:
            share = 1 if before[2] <= goal else (before[2] - goal) / (before[2] - after[2])
            return tuple(a + share * (b - a) for a, b in zip(before[:2], after[:2]))
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("recipe")
    parser.add_argument("--rates", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", default="")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",") if rate]
    known = {}
    if options.out and os.path.exists(options.out):
        with open(options.out) as file:
            for line in file:
                row = json.loads(line)
                known[row["recipe"], row["kind"], row["rate"], row["seed"], tuple(row["set"])] = row["evaluations"]

    def run(kind, rate, seed):
        key = (options.recipe, kind, rate, seed, tuple(options.set))
        if key not in known:
            known[key] = train(options, kind, rate, seed)
            print(f"{options.recipe} {kind} rate {rate:g} seed {seed}: {known[key][-1][2]:.4f}", file=sys.stderr, flush=True)
            if options.out:
                with open(options.out, "a") as file:
                    names = ("recipe", "kind", "rate", "seed", "set", "evaluations")
                    file.write(json.dumps(dict(zip(names, key + (known[key],)))) + "\n")
        return known[key]

    def final(kind, rate, seed=1):
        loss = run(kind, rate, seed)[-1][2]
        return loss if loss == loss else float("inf")

    best = {}
    for kind in KINDS:
        grid = sorted(rates)
        while True:
            losses = [final(kind, rate) for rate in grid]
            place = losses.index(min(losses))
            if place == 0 and len(grid) > 1:
                grid.insert(0, grid[0] * grid[0] / grid[1])
            elif place == len(grid) - 1 and len(grid) > 1:
                grid.append(grid[-1] * grid[-1] / grid[-2])
            else:
                break
        best[kind] = grid[place]
    ratios, steps, ends = [], [], {kind: [] for kind in KINDS}
    for seed in range(1, options.seeds + 1):
        adamw, muon = (run(kind, best[kind], seed) for kind in KINDS)
        for kind, one in zip(KINDS, (adamw, muon)):
            ends[kind].append(one[-1][2])
        steps.append(muon[-1][1] / adamw[-1][1])
        found = crossing(muon, adamw[-1][2])
        if found is None:
            ratios.append((float("inf"), float("inf")))
        else:
            ratios.append((found[0] / adamw[-1][0], found[1] / adamw[-1][1]))
    print(f"{options.recipe}: best rates adamw {best['adamw']:g}, muon {best['muon']:g}; {options.seeds} seeds")
    for kind in KINDS:
        print(f"  final held-out loss, {kind}: {statistics.mean(ends[kind]):.4f} ({min(ends[kind]):.4f} … {max(ends[kind]):.4f})")
    for name, index in (("tokens", 0), ("time", 1)):
        values = [ratio[index] for ratio in ratios]
        print(f"  {name} to AdamW's final loss: {statistics.median(values):.2f} ({min(values):.2f} … {max(values):.2f})")
    print(f"  a step of Muon takes {statistics.median(steps):.2f} of AdamW's")


if __name__ == "__main__":
    main()
