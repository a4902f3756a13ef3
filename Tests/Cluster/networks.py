#!/usr/bin/env python3
"""Measures how the speed of several ranks depends on the network between them: networks.py PROGRAM [RECIPE]; or compares ranks on this
machine with threads of one process: networks.py PROGRAM RECIPE here.

Each rank is on a machine of its own, as far as the kernel tells them apart: a network namespace with a cable to a bridge. tc limits
the bandwidth. A delay comes from a thread that carries the packets (delay.py), since many kernels have no netem; carrying takes some
percent of a core. The ranks' cores are those of this machine, so that computing is as fast with every cable. Needs root, ip and tc.

Variables: RANKS (2), STEPS (6 a run), TURNS (5, of “here”), BINDING (none; of “here”).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from delay import MTU, DelayedCables

NAME = "foretop-net"


def call(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Network:
    """Namespaces, each with its cable to a bridge.

    isDelayed: whether packets are carried by a thread, which may hold them back for `delay` seconds.
    """

    def __init__(self, count, isDelayed):
        self.count = count
        self.folder = tempfile.mkdtemp(prefix=NAME)
        self.cables = None
        self.clear()
        call("ip", "link", "add", f"{NAME}", "type", "bridge")
        call("ip", "addr", "add", "10.77.0.254/24", "dev", NAME)
        call("ip", "link", "set", NAME, "up")
        if isDelayed:
            self.cables = DelayedCables([(f"fv{rank}", f"fn{rank}") for rank in range(count)])
        for rank in range(count):
            host = self.host(rank)
            call("ip", "netns", "add", host)
            if isDelayed:
                call("ip", "link", "set", f"fn{rank}", "netns", host, "name", "eth0")
                call("ip", "link", "set", f"fv{rank}", "mtu", str(MTU))
                call("ip", "-n", host, "link", "set", "eth0", "mtu", str(MTU))
            else:
                call("ip", "link", "add", f"fv{rank}", "type", "veth", "peer", "name", "eth0", "netns", host)
            call("ip", "link", "set", f"fv{rank}", "master", NAME, "up")
            call("ip", "-n", host, "addr", "add", f"10.77.0.{rank + 1}/24", "dev", "eth0")
            call("ip", "-n", host, "link", "set", "eth0", "up")
            call("ip", "-n", host, "link", "set", "lo", "up")
        # What mpirun takes for ssh: HOST COMMAND…
        self.agent = os.path.join(self.folder, "agent")
        with open(self.agent, "w") as script:
            script.write('#!/bin/sh\nhost=$1; shift\nexec ip netns exec "$host" unshare -u sh -c \'hostname "$0"; exec sh -c "$1"\' "$host" "$*"\n')
        os.chmod(self.agent, 0o755)

    def host(self, rank):
        return f"ftnode{rank}"

    def cable(self, delay, rate):
        """Sets the delay of each direction in seconds, and the bandwidth of every cable; None leaves it as the kernel does."""
        if self.cables:
            self.cables.delay = delay
        for rank in range(self.count):
            for place in (f"fv{rank}", "eth0"):
                where = ["tc"] if place != "eth0" else ["ip", "netns", "exec", self.host(rank), "tc"]
                call(*where, "qdisc", "del", "dev", place, "root", check=False)
                if rate:
                    call(*where, "qdisc", "add", "dev", place, "root", "tbf", "rate", rate, "burst", "2mb", "latency", "100ms")

    def mpirun(self):
        hosts = ",".join(f"{self.host(rank)}:1" for rank in range(self.count))
        return [
            "mpirun", "--allow-run-as-root", "--bind-to", "none", "-n", str(self.count), "--host", hosts, "--mca", "plm_rsh_agent",
            self.agent, "--mca", "plm_rsh_no_tree_spawn", "1", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "10.77.0.0/24",
            "--mca", "oob_tcp_if_include", "10.77.0.0/24", "-x", "PATH", "-x", "HOME", "-x", "XDG_CACHE_HOME"]

    def clear(self):
        if self.cables:
            self.cables.end()
            self.cables = None
        for rank in range(64):
            call("ip", "link", "del", f"fv{rank}", check=False) if os.path.exists(f"/sys/class/net/fv{rank}") else None
            if os.path.exists(f"/run/netns/ftnode{rank}"):
                call("ip", "netns", "del", f"ftnode{rank}", check=False)
        if os.path.exists(f"/sys/class/net/{NAME}"):
            call("ip", "link", "del", NAME, check=False)

    def end(self):
        self.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


def pace(arguments):
    """Seconds a step: the median of a run's steps after the first."""
    result = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    events = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    times = sorted(event["tokens"] / event["tokensPerSecond"] / event["step"] for event in events if event["event"] == "step" and event["step"] > 1)
    return times[len(times) // 2]


def compare_here(train, count, turns):
    """The same number of cores, as threads of one process and as ranks of one thread, in turns."""
    def alone(number):
        return pace([*train(f"threads{number}"), "--threads", str(count)])

    def ranks(number, *options):
        name = "-".join(["ranks", *(option.split("=")[-1] for option in options if "=" in option), str(number)])
        # As mpirun does it by itself where there are enough cores: each rank has its own.
        return pace(["mpirun", "--allow-run-as-root", "--bind-to", BINDING, "-n", str(count), *train(name, *options), "--threads", "1"])

    kinds = {
        f"1 process of {count} threads": alone, f"{count} ranks of 1 thread": ranks,
        "with ranks.transport bf16": lambda number: ranks(number, "--set", "ranks.transport=bf16"),
        "with ranks.sharding optimizer": lambda number: ranks(number, "--set", "ranks.sharding=optimizer"),
    }
    times = {kind: [] for kind in kinds}
    for number in range(turns):
        for kind, measure in kinds.items():
            times[kind].append(measure(number))
    print("| | s a step, median of turns | speed of one process | in pairs |")
    print("| --- | --- | --- | --- |")
    first = times[next(iter(kinds))]
    for kind, values in times.items():
        pairs = sorted(a / b for a, b in zip(first, values))
        print(f"| {kind} | {sorted(values)[turns // 2]:.3f} | {sorted(first)[turns // 2] / sorted(values)[turns // 2]:.3f} | "
              f"{pairs[0]:.3f} … {pairs[turns // 2]:.3f} … {pairs[-1]:.3f} |", flush=True)


BINDING = os.environ.get("BINDING", "none")


def main():
    program, recipe = os.path.abspath(sys.argv[1]), (sys.argv[2:] or ["small"])[0]
    folder = tempfile.mkdtemp(prefix=NAME)
    count = int(os.environ.get("RANKS", "2"))
    steps = os.environ.get("STEPS", "6")

    def train(name, *options):
        return [program, "train", recipe, "--name", name, "--runs", folder, "--steps", steps, "--json",
                "--set", "evaluate.every=0", "--set", "sample.every=0", "--set", "save.every=0", "--set", "evaluate.tokens=1024", *options]

    if sys.argv[3:] == ["here"]:
        compare_here(train, count, int(os.environ.get("TURNS", "5")))
        return shutil.rmtree(folder, ignore_errors=True)
    alone = pace([*train("alone"), "--threads", "1"])
    print(f"{recipe}: {count} ranks of 1 thread; one process with 1 thread takes {alone:.3f} s a step")
    print("| cable | transport | s a step | of the speed without waiting |")
    print("| --- | --- | --- | --- |")
    number = 0
    try:
        for delay, rates in ((None, (None, "10gbit", "1gbit")), (0.0, (None,)), (0.001, (None, "1gbit"))):
            try:
                network = Network(count, isDelayed=delay is not None)
            except OSError as error:
                print(f"| {delay} s each way | | this kernel cannot make such a cable: {error} | |", flush=True)
                continue
            try:
                for rate in rates:
                    network.cable(delay, rate)
                    for transport in ("fp32", "bf16"):
                        number += 1
                        seconds = pace([*network.mpirun(), *train(f"run{number}", "--set", f"ranks.transport={transport}"), "--threads", "1"])
                        carried = delay is not None and (f"{delay * 1000:g} ms each way" if delay else "carried by a thread")
                        words = ", ".join(filter(None, [carried, rate])) or "as fast as the kernel"
                        print(f"| {words} | {transport} | {seconds:.3f} | {alone / count / seconds:.2f} |", flush=True)
            finally:
                network.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
