#!/usr/bin/env python3
"""Opens a run of foretop with h5py alone, and shows it: read_a_run.py runs/NAME [--png FILE]

Works during the run, after its end, and with a copy made by “foretop snapshot”. The same code works in a notebook. Only h5py
and numpy are needed; with matplotlib, --png draws the losses too.
"""

import argparse
import json
import pathlib

import h5py
import numpy as np


def open_run(path):
    """Opens a run's file. `swmr=True` lets a live run go on writing; closed files and copies are opened without it. A resumed run
    replaces run.h5: a reader that holds the old file open must open run.h5 again to see new rows."""
    try:
        return h5py.File(path, "r", swmr=True)
    except (OSError, ValueError):
        return h5py.File(path, "r")


def overview(file, name, level=1):
    """An overview of a metric: steps, and the smallest, largest and mean value of every 64 steps (4096 at level 2)."""
    group = file[f"overview/L{level}"]
    rows = len(group["commit"])
    return [group["step"][:rows]] + [group[f"{name}/{part}"][:rows] for part in ("minimum", "maximum", "mean")]


def word(text):
    """An attribute as text; h5py returns texts of fixed length as bytes."""
    return text.decode() if isinstance(text, bytes) else text


def table(group):
    """The columns of /metrics or /heldout by name, such as `loss/ntp`. Rows without their checksum do not exist yet."""
    rows = len(group["commit"])
    return {word(name): group[word(name)][:rows] for name in group["commit"].attrs["columns"]}


def texts(group):
    """The JSON texts of /samples/text, /samples/order or /beginnings: row i is bytes[end[i-1]:end[i]]."""
    ends = group["end"][: len(group["commit"])].astype(int)
    data = group["bytes"][: ends[-1]].tobytes() if len(ends) else b""
    return [json.loads(data[start:end]) for start, end in zip([0, *ends[:-1]], ends)]


def smooth(values, memory=0.95):
    """A debiased exponential moving average."""
    average, weight, result = 0.0, 0.0, []
    for value in values:
        average, weight = memory * average + (1 - memory) * value, memory * weight + (1 - memory)
        result.append(average / weight)
    return np.array(result)


def chart(steps, values, columns=72, rows=12):
    """A chart in text, for terminals."""
    picks = np.linspace(0, len(values) - 1, min(columns, len(values))).astype(int)
    low, high = np.nanmin(values), np.nanmax(values)
    grid = [[" "] * len(picks) for _ in range(rows)]
    for column, pick in enumerate(picks):
        if np.isfinite(values[pick]):
            height = (values[pick] - low) / (high - low) if high > low else 0.5
            grid[rows - 1 - int(round(height * (rows - 1)))][column] = "·"
    lines = [f"{high if row == 0 else low if row == rows - 1 else float('nan'):9.3f} ".replace("nan", "   ") + "".join(cells)
             for row, cells in enumerate(grid)]
    return "\n".join(lines) + f"\n{'':10}step {steps[0]} … {steps[-1]}"


def describe(file):
    print(f"{word(file.attrs['name'])}: {file.attrs['parameters']} parameters, {word(file.attrs['corpus'])}")
    metrics, heldout = table(file["metrics"]), table(file["heldout"])
    heads = [name for name in metrics if name.startswith("loss/") and name != "loss/total"]
    steps = metrics["step"]
    if not len(steps):
        print("no step was taken yet")
        return
    print(f"{len(steps)} steps, {metrics['tokens'][-1]} tokens, {metrics['active'][-1]:.1f} s of training")
    for name in heads:
        print(f"\n{name}, smoothed, in {word(file['metrics'][name].attrs['units'])}")
        print(chart(steps, smooth(metrics[name])))
    if "overview" in file and len(steps) >= 1 << 18:
        ends, low, high, mean = overview(file, "loss/total", level=2)
        print("\nevery 4096 steps, from /overview: total loss, smallest, mean, largest")
        for row in np.linspace(0, len(ends) - 1, 12).astype(int):
            print(f"  to step {ends[row]:9}  {low[row]:.3f}  {mean[row]:.3f}  {high[row]:.3f}")
    print("\nheld-out part")
    for row, step in enumerate(heldout["step"]):
        print(f"  step {step:6}  " + "  ".join(f"{name} {heldout[name][row]:.3f}" for name in heads))
    print("\nwhat happened")
    for event in file["events"][:]:
        print(f"  step {event['step']:6}  {event['kind'].decode():8}  {event['text'].decode()}")
    samples = texts(file["samples/text"])
    if samples:
        print(f"\nwritten at step {samples[-1]['step']}: {samples[-1]['prompt']}{samples[-1]['text']}")


def describe_checkpoint(path):
    """A checkpoint's weights, under their Hugging Face Llama names with “/” for “.”."""
    with h5py.File(path, "r") as file:
        weights = {}
        file["model"].visititems(lambda name, item: weights.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        print(f"\n{path.name}: step {file['state'].attrs['step']}, {sum(item.size for item in weights.values())} weights")
        for name, item in weights.items():
            values = item[:]
            print(f"  {name:48} {'×'.join(map(str, item.shape)):>12}  mean {values.mean():9.2e}  deviation {values.std():.2e}")


def plot(file, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    metrics, heldout = table(file["metrics"]), table(file["heldout"])
    for name in [name for name in metrics if name.startswith("loss/") and name != "loss/total"]:
        line, = plt.plot(metrics["step"], smooth(metrics[name]), label=name)
        plt.plot(heldout["step"], heldout[name], "o", color=line.get_color())
    plt.xlabel("step")
    plt.ylabel("nats")
    plt.legend()
    plt.savefig(path)
    print(f"drawn to {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, help="a run's folder, its run.h5, or a snapshot of it")
    parser.add_argument("--png", type=pathlib.Path, help="draw the losses to this file (needs matplotlib)")
    arguments = parser.parse_args()
    path = arguments.run / "run.h5" if arguments.run.is_dir() else arguments.run
    with open_run(path) as file:
        describe(file)
        if arguments.png:
            plot(file, arguments.png)
    checkpoints = sorted((path.parent / "checkpoints").glob("*.h5")) if path.name == "run.h5" else []
    if checkpoints:
        describe_checkpoint(checkpoints[-1])


if __name__ == "__main__":
    main()
