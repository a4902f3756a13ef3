"""The machine around a run: CPUs, quotas, locales, the limit on sizes of files, and signals of batch systems."""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess

from support import *


SMALL = ["--set", "tokenizer.kind=bytes", "--set", "model.context=16", "--set", "evaluate.every=0", "--set", "sample.every=0"]


def threads(prefix=(), *options, **more):
    """How many threads a run takes that nobody says a number for."""
    arguments = [*prefix, PROGRAM, "plan", "tiny", "--no-measure", "--json", "--data", TEXT, *SMALL, *options]
    return json.loads(run(arguments, **more).stdout)["threads"]


@contextlib.contextmanager
def cpu_group(quota, period):
    """A control group of version 1 whose processes get so much CPU time."""
    root = "/sys/fs/cgroup/cpu"
    path = f"{root}/foretop-test-{os.getpid()}"
    if not os.path.exists(f"{root}/cpu.cfs_quota_us") or not os.access(root, os.W_OK):
        raise Skipped("there is no control group of version 1 to make one in")
    os.makedirs(f"{path}/inner")
    try:
        for name, value in (("period", period), ("quota", quota)):
            with open(f"{path}/cpu.cfs_{name}_us", "w") as file:
                file.write(str(value))
        yield ["sh", "-c", f'echo $$ > {path}/inner/cgroup.procs && exec "$@"', "sh"]
    finally:
        os.rmdir(f"{path}/inner")
        os.rmdir(path)


def test_threads_by_default_are_those_that_affinity_leaves():
    cpu = str(min(os.sched_getaffinity(0)))
    assert threads(["taskset", "-c", cpu]) == 1
    assert 1 <= threads() <= len(os.sched_getaffinity(0))
    run(["taskset", "-c", cpu, PROGRAM, "train", "tiny", "--name", "pinned", "--runs", RUNS, "--data", TEXT, "--steps", "1",
         "--headless", *SMALL])
    assert events("pinned", "begin")[0]["threads"] == 1


def test_threads_by_default_are_those_that_a_quota_gives_time_for():
    with cpu_group(50_000, 100_000) as inside:
        assert threads(inside) == 1
    if threads() > 1:
        with cpu_group(150_000, 100_000) as inside:
            assert threads(inside) == 2
    with cpu_group(-1, 100_000) as inside:
        assert threads(inside) == threads()


def test_more_threads_than_a_machine_can_use_are_refused_and_some_more_are_not():
    cpus = len(os.sched_getaffinity(0))
    most = max(16, 4 * cpus)
    options = ["--runs", RUNS, "--data", TEXT, "--steps", "2", "--headless", *SMALL]
    if most < 1000:
        for arguments in (["train", "tiny", "--name", "many", *options], ["bench", "--only", "limit"]):
            said = run([PROGRAM, *arguments, "--threads", "1000"], status=64).stderr
            assert "--threads 1000 is too many" in said and f"at most {most} threads" in said, said
    assert state("many") is None
    run([PROGRAM, "train", "tiny", "--name", "some", *options, "--threads", str(cpus + 1)])
    assert [event for event in occurrences("some", "warning") if "wait for each other" in event["text"]]
    # A run from a larger machine goes on with as many as it had, whatever this one has.
    cpu = str(min(os.sched_getaffinity(0)))
    pinned = ["taskset", "-c", cpu]
    if most > 16:
        run([PROGRAM, "train", "tiny", "--name", "large", *options, "--threads", str(most)])
        for more in ([], ["--threads", str(most)]):
            steps = str(3 + len(more))
            run([*pinned, *command("resume", "large", "--headless", "--steps", steps, *more)])
        assert {event["threads"] for event in events("large", "begin")} == {most}


def test_an_attached_screen_measures_the_process_that_trains():
    trainer = going_on("measured", 5)
    try:
        with Terminal(command("attach", "measured"), 120, 36) as terminal:
            terminal.wait_for("attached")
            terminal.type("3")
            terminal.wait_for(re.compile(r"\d\.\d of \d+ CPUs"))
            terminal.leave()
    finally:
        trainer.kill()
        trainer.wait()
    with Terminal(command("inspect", "measured"), 120, 36) as terminal:
        terminal.wait_for("interrupted")
        terminal.type("3")
        terminal.wait_for("no process trains this run now")
        terminal.leave()


def limits(name):
    """The lines in which a run reports the machine's limit."""
    return [event for event in occurrences(name, "notice") if event.get("key") == "limit"]


def test_the_panel_shows_the_share_of_the_limit_that_the_run_has_measured():
    share = re.compile(r"speed .*\d+ % of the limit")
    with begin("limited", *ENDLESS, columns=120, rows=36) as terminal:
        terminal.type("3")
        terminal.wait_for(share)
        with Terminal(command("attach", "limited"), 120, 36) as other:
            other.wait_for("attached")
            other.type("3")
            other.wait_for(share)
            other.leave()
        terminal.type("\x03")
        terminal.finish()
    # Once, however long somebody looks.
    found = limits("limited")
    assert len(found) == 1 and found[0]["new"] > 0 and found[0]["actor"] == "program", found


def test_the_limit_is_measured_for_who_asks_and_for_nobody_else():
    trainer = going_on("asked-limit", 5)
    try:
        with Terminal(command("attach", "asked-limit"), 120, 36) as terminal:
            terminal.wait_for("attached")
            terminal.type("3")
            terminal.wait_for(":limit measures the limit")
            said = run(command("tell", "asked-limit", "limit")).stdout
            assert re.search(r"limit .* tokens/s: the matrix products alone, .*FLOP/s", said), said
            terminal.wait_for(re.compile(r"\d+ % of the limit"))
            terminal.leave()
        run(command("tell", "asked-limit", "stop"))
        trainer.stdout.read()
        assert trainer.wait(PATIENCE) == 0
    finally:
        trainer.kill()
        trainer.wait()
    assert [event["actor"] for event in limits("asked-limit")] == ["tell"], limits("asked-limit")


# Locales


def frame(environment, name):
    with begin(name, *ENDLESS, env=environment) as terminal:
        terminal.wait_for("losses")
        return terminal.shown


def test_a_locale_that_is_not_installed_gets_the_characters_that_it_asks_for():
    asking = [{"LANG": "tr_TR.UTF-8"}, {"LANG": "C", "LC_CTYPE": "xx_YY.utf8"}, {"LANG": "C", "LC_ALL": "zz_ZZ.UTF-8@x"},
              {"LANG": "", "LC_CTYPE": "UTF-8"}]
    for number, environment in enumerate(asking):
        raw = frame(environment, f"locale-{number}")
        assert "─".encode() in raw and "⣀".encode() in raw, (environment, raw[-2000:])
        raw.decode()
    for number, environment in enumerate([{"LANG": "tr_TR"}, {"LANG": "C"}, {"LANG": "tr_TR.UTF-8", "LC_ALL": "POSIX"}]):
        assert frame(environment, f"locale-ascii-{number}").isascii(), environment


def test_numbers_keep_their_points_where_commas_are_usual():
    folder = os.path.join(FOLDER, "locales")
    os.makedirs(folder, exist_ok=True)
    made = shutil.which("localedef") and subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", os.path.join(folder, "de_DE.UTF-8")], capture_output=True)
    if not made or made.returncode:
        raise Skipped("localedef makes no de_DE here")
    german = dict(os.environ, LOCPATH=folder, LC_ALL="de_DE.UTF-8")
    comma = subprocess.run(["/usr/bin/printf", "%.1f", "0,5"], env=german, capture_output=True, text=True).stdout
    assert comma == "0,5", f"the locale is not German: {comma}"
    outputs = []
    for name, environment in (("point-c", None), ("point-de", german)):
        said = run(train(name, "--steps", "5", "--headless", *SMALL), env=environment)
        run(command("export", name, os.path.join(FOLDER, name + ".csv"), "--to", "csv"), env=environment)
        with open(os.path.join(FOLDER, name + ".csv")) as file:
            rows = [line.split(",") for line in file]
        with open(os.path.join(RUNS, name, "run.h5"), "rb") as file:
            assert b"rate: 0,00" not in file.read()
        outputs.append(([len(row) for row in rows], json.loads(run(command("inspect", name, "recipe", "--json"), env=environment).stdout)))
        assert "rate 0," not in said.stdout and "ntp 5," not in said.stdout, said.stdout
    assert outputs[0] == outputs[1]
    with Terminal(command("inspect", "point-de"), env={"LOCPATH": folder, "LC_ALL": "de_DE.UTF-8"}) as terminal:
        terminal.wait_for("finished")
        assert "⣀" in terminal.text or "─" in terminal.text
        terminal.type("q")
        terminal.finish()


# Signals of batch systems


def start(name, *options):
    process = subprocess.Popen(
        [*train(name, *ENDLESS, *options), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if json.loads(line)["event"] == "step":
            return process
    raise AssertionError(f"{name} took no step: {process.stderr.read()}")


def wait_for_event(process, said):
    for line in process.stdout:
        event = json.loads(line)
        if said(event):
            return event
    raise AssertionError(f"it ended before with {process.wait()}: {process.stderr.read() if process.stderr else None}")


def saved(event):
    return event.get("kind") == "saved"


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def stops_with_all_its_steps(process, name):
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    run(command("verify", name))
    steps = [event["step"] for event in events(name, "step")]
    assert steps == list(range(1, len(steps) + 1))


def test_the_limit_on_sizes_is_as_a_full_disk_and_lifting_it_lets_a_run_go_on():
    # Checkpoints of some 20 MB, and a limit that run.h5 stays below.
    wide = ["--set", "model.width=256", "--set", "model.blocks=2", "--set", "save.every=3"]
    process = subprocess.Popen(
        [*train("held-down", "--steps", "1000000", *SMALL, *wide), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=limited(8 << 20))
    failure = wait_for_event(process, lambda event: event.get("kind") == "failure")
    assert "File too large" in failure["text"] and f"prlimit --pid {process.pid}" in failure["text"], failure
    assert "ulimit -f" in failure["text"], failure
    wait_for_event(process, lambda event: event.get("kind") == "pause")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for_event(process, saved)
    wait_for_event(process, lambda event: event.get("kind") == "proceed")
    stops_with_all_its_steps(process, "held-down")


def begin_at_the_limit_on_sizes(name):
    """A run whose files may not grow any more."""
    process = subprocess.Popen(
        [*train(name, *ENDLESS, *SMALL), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    wait_for_event(process, lambda event: event["event"] == "step" and event["step"] > 20)
    size = max(os.path.getsize(os.path.join(RUNS, name, file)) for file in ("run.h5", "run.journal"))
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return process


def test_the_limit_on_sizes_holds_rows_back_and_loses_none():
    process = begin_at_the_limit_on_sizes("limited-rows")
    warning = wait_for_event(process, lambda event: event.get("kind") == "warning")
    assert "File too large" in warning["text"] and "kept in memory" in warning["text"], warning
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for_event(process, lambda event: event.get("kind") == "notice" and "can be written again" in event["text"])
    stops_with_all_its_steps(process, "limited-rows")


def test_a_run_that_ends_at_the_limit_on_sizes_names_it():
    process = begin_at_the_limit_on_sizes("ends-limited")
    wait_for_event(process, lambda event: event.get("kind") == "warning")
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 74 and "ulimit -f" in errors and "free some space" not in errors, (process.returncode, errors)


def test_commands_that_write_say_that_the_limit_on_sizes_is_reached():
    run(train("to-write", "--steps", "4", "--headless", *SMALL))
    there = os.path.join(FOLDER, "there-limited")
    run(command("export", "to-write", there, "--to", "huggingface"))
    commands = {
        "snapshot": command("snapshot", "to-write", os.path.join(FOLDER, "limited.h5")),
        "safetensors": command("export", "to-write", os.path.join(FOLDER, "limited.safetensors"), "--to", "safetensors"),
        "huggingface": command("export", "to-write", os.path.join(FOLDER, "limited-hf"), "--to", "huggingface"),
        "gguf": command("export", "to-write", os.path.join(FOLDER, "limited.gguf"), "--to", "gguf"),
        "import": command("import", there, "--name", "limited-import"),
        "train": train("limited-train", "--steps", "4", "--headless", *SMALL),
        "resume": command("resume", "to-write", "--steps", "6", "--headless"),
    }
    before = sorted(os.listdir(FOLDER))
    for name, arguments in commands.items():
        result = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, preexec_fn=limited(4096))
        assert result.returncode in (73, 74), (name, result.returncode, result.stderr)
        assert "File too large" in result.stderr and "ulimit -f" in result.stderr, (name, result.stderr)
    left = [file for file in os.listdir(FOLDER) if file not in before and "limited-hf" not in file]
    assert not left, left
    assert state("limited-train") is None and state("limited-import") is None
    # What was there is as it was.
    run(command("verify", "to-write"))
    run(command("resume", "to-write", "--steps", "6", "--headless"))
