"""Muon beside AdamW on a recipe: how many tokens and seconds until AdamW's final held-out loss, each at its best rate.

    optimizers.py PROGRAM SIZE [--jobs N] [--seeds N] [--threads N] [--out FILE]
    optimizers.py PROGRAM RECIPE --rates R,R,… [--set KEY=VALUE …] …

SIZE is one of those below: a recipe with its rates. For each optimizer, each rate of the grid is tried with the first seed; where the
best rate is at the grid's edge, the grid grows by its neighbour. The best rate is then trained with all seeds. AdamW's final held-out
loss of a seed is the goal of that seed; the place where Muon's evaluations cross it is interpolated in a straight line between two of
them. Tokens and time are compared as ratios: those of Muon until it has the goal over those of AdamW's whole run. Time is the time of
training alone (“active”), without evaluations. Both optimizers' runs of a seed follow each other, and with --jobs 2 go on at the same
time, so that a busy machine slows both. Results are appended to FILE, and what is there is not run again.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading

KINDS = ("adamw", "muon")

# Recipe, rates, and changes. "quick" is that of experiments/muon.yaml: small networks with the default recipe's tokens a step.
SIZES = {
    "quick": (
        "default", "2e-3,4e-3,8e-3",
        ["model.blocks=4", "tokenizer.vocabulary=1024", "model.width=64", "model.heads=2", "model.keyValueHeads=2", "model.context=128",
         "batch.rows=32", "objective.top=0", "steps=400", "evaluate.every=20", "evaluate.tokens=32768"]),
    "nanogpt": ("nanogpt-cpu", "1e-3,2e-3,4e-3", ["data.paths=[]", "evaluate.every=100"]),
    "default": ("default", "1e-3,2e-3,4e-3", ["evaluate.tokens=65536"]),
    "small": ("small", "5e-4,1e-3,2e-3", ["evaluate.every=50", "evaluate.tokens=65536"]),
}


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


class Runs:
    """Runs that are trained when somebody asks for them, and kept in a file."""

    NAMES = ("recipe", "kind", "rate", "seed", "set", "evaluations")

    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.known = {}
        if options.out and os.path.exists(options.out):
            with open(options.out) as file:
                for line in file:
                    row = json.loads(line)
                    self.known[self.key(row["kind"], row["rate"], row["seed"], row["recipe"], row["set"])] = row["evaluations"]

    def key(self, kind, rate, seed, recipe=None, changes=None):
        return (recipe or self.options.recipe, kind, rate, seed, tuple(self.options.set if changes is None else changes))

    def train(self, which):
        key = self.key(*which)
        if key in self.known:
            return
        evaluations = train(self.options, *which)
        with self.lock:
            self.known[key] = evaluations
            kind, rate, seed = which
            print(f"{self.options.recipe} {kind} rate {rate:g} seed {seed}: {evaluations[-1][2]:.4f}", file=sys.stderr, flush=True)
            if self.options.out:
                with open(self.options.out, "a") as file:
                    file.write(json.dumps(dict(zip(self.NAMES, key + (evaluations,)))) + "\n")

    def all(self, wanted):
        """The evaluations of runs (kind, rate, seed), of which some are trained at the same time."""
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            list(pool.map(self.train, wanted))
        return [self.known[self.key(*which)] for which in wanted]


def final(evaluations):
    """The last held-out loss; infinite where training diverged."""
    loss = evaluations[-1][2]
    return loss if loss == loss else float("inf")


def best_rates(runs, rates):
    """Each optimizer's best rate with the first seed."""
    grids = {kind: sorted(rates) for kind in KINDS}
    while True:
        wanted = [(kind, rate, 1) for kind in KINDS for rate in grids[kind]]
        losses = dict(zip(wanted, map(final, runs.all(wanted))))
        best, grew = {}, False
        for kind, grid in grids.items():
            place = min(range(len(grid)), key=lambda index: losses[kind, grid[index], 1])
            best[kind] = grid[place]
            if len(grid) > 1 and place == 0:
                grid.insert(0, grid[0] * grid[0] / grid[1])
                grew = True
            elif len(grid) > 1 and place == len(grid) - 1:
                grid.append(grid[-1] * grid[-1] / grid[-2])
                grew = True
        if not grew:
            return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("recipe", help=f"a recipe, or one of {', '.join(SIZES)}")
    parser.add_argument("--rates", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", default="")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    name = options.recipe
    if name in SIZES and not options.rates:
        options.recipe, options.rates, changes = SIZES[name]
        options.set = changes + options.set
    if not options.rates:
        parser.error(f"--rates is missing: a recipe of its own needs a grid; the sizes with one are {', '.join(SIZES)}")
    runs = Runs(options)
    best = best_rates(runs, [float(rate) for rate in options.rates.split(",") if rate])
    seeds = range(1, options.seeds + 1)
    found = iter(runs.all([(kind, best[kind], seed) for seed in seeds for kind in KINDS]))
    ratios, steps, ends = [], [], {kind: [] for kind in KINDS}
    for adamw, muon in zip(found, found):
        for kind, one in zip(KINDS, (adamw, muon)):
            ends[kind].append(final(one))
        steps.append(muon[-1][1] / adamw[-1][1])
        place = crossing(muon, final(adamw))
        ratios.append((float("inf"),) * 2 if place is None else tuple(a / b for a, b in zip(place, adamw[-1][:2])))

    def spread(values, digits):
        return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})"

    print(f"{name}: {options.seeds} seeds, {options.threads} thread{'s' if options.threads > 1 else ''} a run; medians (smallest … largest)")
    print("| recipe | best rate of AdamW | of Muon | AdamW's final held-out loss | Muon's | tokens to AdamW's | time to AdamW's | time of a step |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(
        f"| {name} | {best['adamw']:g} | {best['muon']:g} | {spread(ends['adamw'], 3)} | {spread(ends['muon'], 3)} | "
        f"{spread([ratio[0] for ratio in ratios], 2)} × | {spread([ratio[1] for ratio in ratios], 2)} × | {statistics.median(steps):.2f} × |")


if __name__ == "__main__":
    main()
