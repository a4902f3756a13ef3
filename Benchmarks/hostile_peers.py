#!/usr/bin/env python3
"""How much peers of the control socket that misbehave slow a training: hostile_peers.py PROGRAM [PAIRS [SECONDS]].

A run trains with one thread on one CPU, which the thread of its control socket shares with it; the peers have the other CPUs. Periods
without peers and periods with them alternate. Each says how long the median step takes, and which share of the CPU the socket's thread
takes from the training: that share is the slowdown, also on a machine whose other programs make the times of steps vary. The peers send lines of 64 KiB, garbage, half lines byte by byte, and
questions that are no commands; open 1 000 connections over and over; and subscribe without reading."""

import json
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    return peer


def flood(path, kind, processors):
    """Misbehaves until the process is ended."""
    if processors:
        os.sched_setaffinity(0, processors)
    peers = []
    while True:
        try:
            if kind == "connections":
                peers.append(connect(path))
                if len(peers) >= 1000:
                    for peer in peers:
                        peer.close()
                    peers = []
                continue
            peer = connect(path)
            if kind == "mute":
                peer.sendall(b'{"subscribe":true,"from":1}\n')
                peers.append(peer)
                time.sleep(1)
                continue
            line = {"long": b'{"command":"' + b"x" * 65_000 + b'"}\n', "garbage": random.Random(1).randbytes(4000) + b"\n",
                    "questions": b'{"command":"explode"}\n'}.get(kind)
            while True:
                if line:
                    peer.sendall(line)
                else:
                    peer.sendall(b"{")
                    time.sleep(0.0005)
        except OSError:
            time.sleep(0.001)


def control_seconds(process):
    """Seconds of the CPU that the thread of the control socket has used."""
    for task in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{task}/comm") as file:
            if file.read().strip() != "control":
                continue
        with open(f"/proc/{process}/task/{task}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9
    raise AssertionError("the run has no thread named control")


KINDS = ["long", "garbage", "questions", "halves", "connections", "mute"]


def main():
    program = os.path.abspath(sys.argv[1])
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 10
    processors = sorted(os.sched_getaffinity(0))
    own, others = ({processors[0]}, set(processors[1:])) if len(processors) > 1 else (set(processors), None)
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "text.txt")
        draw = random.Random(1)
        with open(text, "w") as file:
            for _ in range(4000):
                file.write(" ".join(draw.choice(["and", "the", "of", "that", "lord", "unto"]) for _ in range(12)) + ".\n")
        run = subprocess.Popen(
            [program, "train", "tiny", "--name", "flooded", "--runs", folder, "--data", text, "--threads", "1", "--headless",
             "--steps", "100000000", "--set", "schedule.kind=constant", "--set", "evaluate.every=0", "--set", "save.every=0",
             "--set", "sample.every=0"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, own))
        path = os.path.join(folder, "flooded", "control.sock")
        while not os.path.exists(path):
            assert run.poll() is None, "the run did not begin"
            time.sleep(0.05)
        time.sleep(seconds / 2)
        periods = []
        for pair in range(pairs):
            # Which of the two comes first alternates: a machine that gets slower favours neither.
            for with_peers in ((False, True) if pair % 2 == 0 else (True, False)):
                peers = []
                if with_peers:
                    peers = [multiprocessing.Process(target=flood, args=(path, kind, others), daemon=True) for kind in KINDS]
                    for peer in peers:
                        peer.start()
                start, used = time.time(), control_seconds(run.pid)
                time.sleep(seconds)
                end = time.time()
                periods.append((pair, with_peers, start, end, (control_seconds(run.pid) - used) / (end - start)))
                for peer in peers:
                    peer.kill()
                for peer in peers:
                    peer.join()
        run.terminate()
        assert run.wait(60) == 143
        told = subprocess.run(
            [program, "inspect", "flooded", "--runs", folder, "--json"], capture_output=True, text=True, check=True).stdout
        events = [json.loads(line) for line in told.splitlines()]
    steps = [(event["time"], sum(event["phases"].values())) for event in events if event["event"] == "step"]
    asked = [event for event in events if event["event"] == "occurrence" and event["actor"] in ("socket", "tell")]
    assert not asked, f"recorded, though nobody asked for it: {asked[:3]}"
    medians, shares = {}, {}
    for pair, with_peers, start, end, share in periods:
        shares.setdefault(with_peers, []).append(share)
        times = [length for when, length in steps if start <= when <= end]
        medians[pair, with_peers] = statistics.median(times)
        print(f"pair {pair + 1}  {'with peers   ' if with_peers else 'without peers'}  {len(times)} steps, median {medians[pair, with_peers] * 1e3:.3f} ms, socket {share:.2%} of a CPU")
    ratios = sorted(medians[pair, True] / medians[pair, False] - 1 for pair in range(pairs))
    print(f"the socket's thread takes {statistics.mean(shares[True]):.2%} of a CPU with peers, {statistics.mean(shares[False]):.2%} without")
    print(f"a step is {statistics.median(ratios):+.2%} longer with peers (median of {pairs} pairs, {ratios[0]:+.2%} to {ratios[-1]:+.2%})")


if __name__ == "__main__":
    main()
