#!/usr/bin/env python3
"""Predicts how efficient several ranks are, from parts that were measured on one machine: ranks.py [--check].

A step of a rank is: compute its rows; add up the gradients of all ranks, unit by unit, as soon as each is complete; update. The model
plays the queue of units through: a unit is exchanged when it is complete and the one before it has been exchanged.

  exchange(unit) = 2 · (n − 1)/n · bytes / bandwidth + 2 · latency + sums · bytes
  efficiency     = seconds of computing and updating / seconds of the whole step

Numbers of docs/machines.md; change them here for another machine.
"""

import sys

# Estimates for a core of an AMD EPYC, not yet compared with a cluster: seconds that one thread takes to add up a byte of gradients of n ranks, for each
# of the n parts, and to update a parameter (AdamW); latency of a small exchange between sleeping ranks.
SUM = 0.10e-9
UPDATE = 3.5e-9
LATENCY = 200e-6
# TCP's share of a cable's bandwidth.
TCP = 0.94
# The forward pass and the heads, as shares of the time of computing; the backward pass of the blocks has the rest.
FORWARD, HEADS = 0.28, 0.16

RECIPES = {
    # blocks, width, inner, vocabulary, unembeddings, context, rows that a step has in the recipe
    "small": (6, 384, 1024, 8192, 1, 256, 16),
    "paper-340m": (24, 1024, 2816, 32000, 2, 4096, 128),
}


def units(recipe):
    """Parameters of each section, in the order in which their gradients are complete: heads, blocks from the last, embedding."""
    blocks, width, inner, vocabulary, heads, _, _ = RECIPES[recipe]
    block = 4 * width * width + 3 * width * inner + 2 * width
    return [heads * vocabulary * width + width] + [block] * blocks + [vocabulary * width]


def step(recipe, rows, ranks, tokens_per_second, gigabits, width=4, latency=LATENCY, threads=1):
    """Seconds of a step, and of its computing and updating alone.

    rows: of each rank. tokens_per_second: of a rank that computes alone. width: bytes of a number on the way.
    """
    sections = units(recipe)
    computing = rows * RECIPES[recipe][5] / tokens_per_second
    update = UPDATE * sum(sections) / threads
    bandwidth = gigabits * 1e9 / 8 * TCP
    backward = computing * (1 - FORWARD - HEADS)
    ready = computing * (FORWARD + HEADS)
    share = (ranks - 1) / ranks
    free = 0.0
    for number, parameters in enumerate(sections):
        if 0 < number < len(sections) - 1:
            ready += backward / (len(sections) - 2)
        wire = 2 * share * width * parameters / bandwidth + 2 * latency
        free = max(free, ready) + wire + SUM * width * parameters
    # Orders, denominators, losses and the verdict: four small exchanges.
    return max(computing, free) + update + 4 * latency, computing + update


def efficiency(*arguments, **options):
    whole, alone = step(*arguments, **options)
    return alone / whole


def least_rows(recipe, ranks, speed, gigabits, **options):
    rows = 1
    while efficiency(recipe, rows, ranks, speed, gigabits, **options) < 0.9:
        rows += 1
        if rows > 1 << 20:
            return None
    return rows


def main():
    # A node of two cores, as measured; and one of 64 cores at the same speed a core, of which 85 % are left (an assumption; “make
    # bench-cores” predicts the share on more cores).
    speeds = {"small": (4200, 32 * 0.85 * 4200), "paper-340m": (150, 32 * 0.85 * 150)}
    for recipe in RECIPES:
        print(f"\n{recipe}: {sum(units(recipe)) / 1e6:.1f} M parameters, 25 Gbit/s")
        print("| node | tokens/s | transport | nodes | rows a node | efficiency | ≥ 0.9 from rows a node | rows a step |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for cores, speed in zip((2, 64), speeds[recipe]):
            for transport, width in (("fp32", 4), ("bf16", 2)):
                for nodes in (8, 16, 64):
                    rows = max(1, RECIPES[recipe][6] // nodes)
                    value = efficiency(recipe, rows, nodes, speed, 25, width=width, threads=cores)
                    least = least_rows(recipe, nodes, speed, 25, width=width, threads=cores)
                    print(f"| {cores} cores | {speed:,.0f} | {transport} | {nodes} | {rows} | {value:.2f} | {least} | {least * nodes} |")


if __name__ == "__main__":
    main()
