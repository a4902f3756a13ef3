"""foretop beside PyTorch on the same workloads, in alternating runs: foretop, eager, compiled, foretop, eager, compiled, …

    compare.py PROGRAM [--turns N] [--rounds N] [--threads N] [--only WORD] [--text FILE] [--json | --readme]

Each run is a process of its own that trains some steps; a cell is the median of its turns. The ratio is foretop's tokens/s
over those of PyTorch's best mode on that workload, and what it would be at the machine's limit stands behind it; memory is the
peak of the whole process, PyTorch's that of the mode that needs less. The last rows are nanoGPT's recipe for a CPU on the
characters of --text, of which a step takes milliseconds: 40 steps count for one of the others; and memory-small, whose tables
PyTorch has as nn.EmbeddingBag. Of memory-small, the same network without memory layers is measured in the same turns: the difference
is the time of these layers. --readme prints the table of docs/performance.md. Progress goes to standard error.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODES = ("eager", "compiled")
NANOGPT = "nanogpt-cpu"
MEMORY = "memory-small"
# Recipes of their own, which foretop measures on the characters of --text.
RECIPES = (NANOGPT, MEMORY)
# Ends the name of a side that trains the network without its memory layers.
WITHOUT = " without tables"


def measured(command):
    """The JSON object that a process prints, with the peak of its memory."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()[-2000:]}")
    return {"peakMemory": usage.ru_maxrss * 1024, **json.loads(output.splitlines()[-1])}


def command(side, workload, options):
    """What measures a workload in foretop, or in a mode of PyTorch."""
    side, is_without = side.removesuffix(WITHOUT), side.endswith(WITHOUT)
    count = options.rounds * 40 if workload == NANOGPT else options.rounds
    common = ["--threads", str(options.threads)]
    if side == "foretop":
        of = [workload, "--data", options.text] if workload in RECIPES else ["--workload", workload]
        without = ["--set", "model.memory.keys=0"] if is_without else []
        return [options.program, "bench", *of, *without, "--json", "--rounds", str(count), *common]
    if workload == NANOGPT:
        of = ["nanogpt_cpu.py", options.text, "--until", str(count), "--no-evaluation", "--json"]
    elif workload == MEMORY:
        of = ["memory.py", "--rounds", str(count), "--precision", options.precision]  # foretop's
        of += ["--keys", "0"] if is_without else []
    else:
        of = ["pytorch.py", workload, "--rounds", str(count)]
    compiled = ["--compile"] if side == "compiled" else []
    return [sys.executable, os.path.join(HERE, of[0]), *of[1:], *common, *compiled]


def has_compiler():
    """Whether torch.compile can work: it writes C++."""
    return any(
        subprocess.run(["sh", "-c", f"command -v {name}"], stdout=subprocess.DEVNULL).returncode == 0
        for name in (os.environ.get("CXX", "g++"), "g++", "clang++")
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=8, help="steps of a run that count")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="", help="only workloads with this word")
    parser.add_argument("--text", default=os.path.join(HERE, "..", "..", "corpora", "kjv.txt"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    modes = MODES if has_compiler() else MODES[:1]

    def say(text):
        print(f"peers: {text}", file=sys.stderr, flush=True)

    if modes == MODES[:1]:
        say("there is no C++ compiler: PyTorch's compiled mode is left out")
    own = [name for name in RECIPES if options.only in name]
    if own and not os.path.exists(options.text):
        raise SystemExit(f"{options.text} is not there: make setup makes the default corpus, --text names another")
    shares = {}
    if not options.only or not own:
        # The shares of the limit are of rounds of their own; they name the workloads that this CPU has, too.
        say("the machine's limit")
        steps = json.loads(
            subprocess.run(
                [options.program, "bench", "--only", "steps", "--json", "--threads", str(options.threads)],
                stdout=subprocess.PIPE, check=True, text=True,
            ).stdout
        )["steps"]
        shares = {row["workload"]: row["share"] for row in steps}
    table = []
    version = ""
    for workload in (name for name in [*shares, *RECIPES] if options.only in name):
        sides = ["foretop", *modes]
        runs = {side: [] for side in sides + [side + WITHOUT for side in sides if workload == MEMORY]}
        for turn in range(options.turns):
            for side in runs:
                say(f"{workload}, turn {turn + 1} of {options.turns}, {side}")
                result = measured(command(side, workload, options))
                if "steps" in result:
                    # A recipe's own bench measures the limit in the same rounds.
                    result |= result["steps"][0]
                    if not side.endswith(WITHOUT):
                        shares[workload] = result["share"]
                    options.precision = "bf16" if result["bf16"] else "fp32"
                runs[side].append(result)
        version = runs["eager"][0]["version"]
        rates = {side: statistics.median(run["tokensPerSecond"] for run in of) for side, of in runs.items()}
        memory = {side: max(run["peakMemory"] for run in of) for side, of in runs.items()}
        best = max(modes, key=lambda mode: rates[mode])
        table.append(
            {
                "workload": workload,
                "foretop": rates["foretop"],
                "shareOfLimit": shares[workload],
                **{mode: rates[mode] for mode in modes},
                "best": best,
                "ratio": rates["foretop"] / rates[best],
                "ratioAtLimit": rates["foretop"] / rates[best] / shares[workload] * 100,
                "memory": memory["foretop"],
                "pytorchMemory": min(memory[mode] for mode in modes),
                "memoryRatio": memory["foretop"] / min(memory[mode] for mode in modes),
            }
        )
        if workload == MEMORY:
            # Microseconds a token that memory layers add.
            added = {side: 1e6 / rates[side] - 1e6 / rates[side + WITHOUT] for side in sides}
            table[-1]["layers"] = {**added, "ratio": added[best] / added["foretop"]}
    if options.json:
        print(json.dumps({"pytorch": version, "turns": options.turns, "peers": table}))
        return
    heading = ["", "foretop tokens/s", "of the limit", "PyTorch eager", "compiled", "ratio to the better", "ratio at the limit", "memory", "PyTorch's memory", "ratio"]

    def grouped(number):
        return f"{number:,.0f}".replace(",", " ")

    cells = [
        [
            row["workload"] if row["workload"] in RECIPES else
            row["workload"].upper().replace("BF16", "bf16").replace("FP32", "fp32").replace("+", " + "),
            grouped(row["foretop"]),
            f"{row['shareOfLimit']:.0f} %",
            *(grouped(row[mode]) if mode in row else "" for mode in MODES),
            f"{row['ratio']:.2f} × {row['best']}",
            f"{row['ratioAtLimit']:.2f} ×",
            f"{row['memory'] / 2**20:.0f} MiB",
            f"{row['pytorchMemory'] / 2**20:.0f} MiB",
            f"{row['memoryRatio']:.2f}",
        ]
        for row in table
    ]
    layers = [
        f"Memory layers alone, the time of a step less that of one without them: foretop {row['layers']['foretop']:.0f} µs a token, "
        f"PyTorch {row['layers'][row['best']]:.0f} ({row['best']}): {row['layers']['ratio']:.1f} ×"
        for row in table if "layers" in row
    ]
    if options.readme:
        for index, row in enumerate([heading, ["---"] * len(heading), *cells]):
            print("| " + " | ".join(row) + " |")
        for line in layers:
            print(f"\n{line}")
        return
    print(f"PyTorch {version}; {options.turns} turns of {options.rounds} steps each, {options.threads} threads")
    widths = [max(len(row[column]) for row in [heading, *cells]) for column in range(len(heading))]
    for row in [heading, *cells]:
        print("  ".join(cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(zip(row, widths))).rstrip())
    for line in layers:
        print(line)


if __name__ == "__main__":
    main()
