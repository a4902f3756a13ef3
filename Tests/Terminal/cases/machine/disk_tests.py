"""A disk that is full, goes away, or has a damaged file: what is said, and that nothing finished is lost."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess

from support import *

# A file system of a few megabytes in a name space of its own: nobody needs to be root for it.
SPACE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
MOUNT = 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"'


class SmallDisk:
    """A folder on a small disk that only the programs in it see; here it is seen through one of them."""

    def __init__(self, name, megabytes):
        self.folder = os.path.join(FOLDER, name)
        os.mkdir(self.folder)
        self.size = f"{megabytes}m"
        holder = [*SPACE, "sh", "-c", MOUNT, self.size, self.folder, "sh", "-c", "echo ready; exec sleep infinity"]
        self.holder = subprocess.Popen(holder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.holder.stdout.readline() == b"ready\n", "no small disk could be made: unshare and mount are needed"
        self.inside = f"/proc/{self.holder.pid}/root{self.folder}"

    def command(self, arguments):
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", *user, "-m", "-t", str(self.holder.pid), *arguments]

    def fill(self, leaving=0):
        """Takes all room but some kilobytes."""
        with open(os.path.join(self.inside, "ballast"), "ab") as file:
            free = os.fstatvfs(file.fileno())
            with contextlib.suppress(OSError):
                least = 0 if leaving else 4096
                os.posix_fallocate(file.fileno(), file.tell(), max(least, free.f_bavail * free.f_frsize - leaving * 1024))

    def free(self):
        os.unlink(os.path.join(self.inside, "ballast"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()


def options(disk, name, *more):
    return [PROGRAM, "train", "tiny", "--name", name, "--runs", disk.folder, "--data", TEXT, "--threads", "1",
            "--steps", "1000000", "--set", "evaluate.every=0", "--set", "sample.every=0", *more]


def test_a_full_disk_makes_the_run_wait_and_room_lets_it_go_on():
    with SmallDisk("full", 24) as disk:
        log = os.path.join(FOLDER, "full.log")
        with open(log, "w") as file:
            process = subprocess.Popen(
                disk.command(options(disk, "a", "--headless", "--set", "save.every=200")), stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.STDOUT)
        said = lambda: open(log).read()
        wait_until(lambda: "saved checkpoints/" in said(), "something is saved")

        def notices():
            # A checkpoint that was just removed may have left room for the next one.
            disk.fill()
            return "No space left" in said() and "waits for the disk" in said()

        wait_until(notices, lambda: f"it notices:\n{said()[-2000:]}", pause=0.05)
        assert process.poll() is None, said()
        before = said().count("saved checkpoints/")
        disk.free()
        wait_until(lambda: "goes on" in said() and said().count("saved checkpoints/") > before, "it goes on")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143, said()
        for verb in (["verify", "a"], ["inspect", "a", "--json"]):
            result = subprocess.run(
                disk.command([PROGRAM, *verb, "--runs", disk.folder]), capture_output=True, text=True, timeout=PATIENCE)
            assert result.returncode == 0, result.stdout + result.stderr
        steps = [line for line in result.stdout.splitlines() if '"event":"step"' in line]
        assert steps and [json.loads(line)["step"] for line in steps] == list(range(1, len(steps) + 1))


def test_a_full_disk_is_said_on_the_screen():
    with SmallDisk("screen", 24) as disk:
        with Terminal(disk.command(options(disk, "a", "--set", "save.every=0")), 100, 30) as terminal:
            terminal.wait_for(lambda terminal: (terminal.step or 0) >= 3)

            def notices(terminal):
                # What the run gives back to the disk may be room for a checkpoint.
                disk.fill()
                terminal.type("s")
                terminal.read(0.5)
                return "not saved" in terminal.text

            terminal.wait_for(notices)
            terminal.wait_for("paused")
            disk.free()
            terminal.wait_for("saved checkpoints/")
            step = terminal.step or 0
            terminal.wait_for(lambda terminal: (terminal.step or 0) > step)
            terminal.interrupt()


def test_a_run_whose_only_copy_the_disk_refuses_still_listens():
    # As where a checkpoint is so large that there is one copy of it alone.
    alone = {**os.environ, "FORETOP_ONE_COPY": "1"}
    with SmallDisk("alone", 24) as disk:
        log = os.path.join(FOLDER, "alone.log")
        with open(log, "w") as file:
            process = subprocess.Popen(
                disk.command(options(disk, "a", "--headless", "--set", "save.every=200")), stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.STDOUT, env=alone)
        said = lambda: open(log).read()
        wait_until(lambda: "saved checkpoints/" in said(), "something is saved")

        def refused():
            # Room for what the run tells, and not for a checkpoint.
            disk.fill(leaving=900)
            return "not saved" in said()

        wait_until(refused, lambda: f"it notices:\n{said()[-2000:]}", pause=0.05)
        process.send_signal(signal.SIGTERM)
        # The trainer is gone, and its newest state is what is tried.
        wait_until(lambda: "retried for a minute" in said(), lambda: f"it listens:\n{said()[-2000:]}")
        disk.free()
        assert process.wait(PATIENCE) == 143, said()
        result = subprocess.run(
            disk.command([PROGRAM, "inspect", "a", "--json", "--runs", disk.folder]), capture_output=True, text=True)
    history = [json.loads(line) for line in result.stdout.splitlines()]
    ended, = [event for event in history if event["event"] == "end"]
    assert [event["step"] for event in history if event.get("kind") == "saved"][-1] == ended["step"], result.stdout[-2000:]


def refusing_disk():
    """A library that makes a journal's disk refuse, and the file that says when."""
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        raise Skipped("there is no C compiler")
    library = os.path.join(FOLDER, "refusing_disk.so")
    source = os.path.join(ROOT, "Tests/Terminal/refusing_disk.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    flag = os.path.join(FOLDER, "refusing")
    return {"LD_PRELOAD": library, "REFUSING_DISK": flag}, flag


def test_a_command_that_is_not_on_the_disk_is_not_confirmed_before_it_is():
    environment, flag = refusing_disk()
    with begin("unsynced", env=environment, columns=160, rows=50) as terminal:
        open(flag, "w").close()
        terminal.type("]")
        # Said a moment after the disk refused: what was to be confirmed is not.
        terminal.wait_for("kept in memory")
        terminal.wait_for("waits for the disk")
        assert not re.search(r"rate \S+ → ", terminal.text), terminal.text
        os.unlink(flag)
        # What people did, without what the program has said since.
        terminal.type("f")
        terminal.wait_for(re.compile(r"rate \S+ → "))
        step = terminal.step or 0
        terminal.wait_for(lambda terminal: (terminal.step or 0) > step)
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert any("can be written again" in notice["text"] for notice in occurrences("unsynced", "notice"))
    rate, = occurrences("unsynced", "rate")
    assert rate["new"] > rate["old"], rate
    run(command("verify", "unsynced"))


def test_a_damaged_run_file_leaves_the_checkpoints_to_those_who_need_only_them():
    run(train("broken", "--headless", "--steps", "12"))
    path = os.path.join(RUNS, "broken", "run.h5")
    with open(path, "r+b") as file:
        file.write(b"x" * 4096)
    for verb in (["eval", "broken", "--data", TEXT], ["generate", "broken", "--prompt", "and", "--tokens", "4"]):
        result = run(command(*verb))
        assert "the checkpoint of step 12 is used without it" in result.stderr, result.stderr
    run(command("tensors", "broken", "--step", "12"))
    result = run(command("resume", "broken", "--headless", "--steps", "20"), status=65)
    assert "foretop recover broken --from-checkpoint" in result.stderr, result.stderr
    result = run(command("recover", "broken", "--from-checkpoint"))
    assert "begins at the checkpoint of step 12" in result.stdout, result.stdout
    begin, = events("broken", "begin")
    assert begin["precision"] in ("bf16", "fp32") and "text.txt" in begin["corpus"], begin
    assert begin["trainingTokens"] > 1000 and begin["unigramEntropy"] > 0, begin
    run(command("resume", "broken", "--headless", "--steps", "20"))
    assert [event["step"] for event in events("broken", "step")] == list(range(13, 21))
    run(command("verify", "broken"))
    run(command("recover", "broken", "--from-checkpoint"), status=64)


def test_a_run_file_that_is_missing_leaves_the_checkpoints_to_those_who_need_only_them():
    run(train("lost", "--headless", "--steps", "12", "--set", "save.every=6", "--set", "precision=fp32"))
    os.remove(os.path.join(RUNS, "lost", "run.h5"))
    place = lambda name: os.path.join(FOLDER, "lost-" + name)
    for verb, step in (
            (["eval", "lost", "--data", TEXT], 12), (["generate", "lost", "--prompt", "and", "--tokens", "4"], 12),
            (["tensors", "lost"], 12), (["tensors", "lost", "--step", "6"], 6),
            (["export", "lost", place("folder"), "--to", "huggingface"], 12),
            (["export", "lost", place("tensors"), "--to", "safetensors"], 12),
            (["export", "lost", place("gguf"), "--to", "gguf"], 12)):
        result = run(command(*verb))
        said = f"foretop: {RUNS}/lost/run.h5 is missing; the checkpoint of step {step} is used without it"
        assert complaints(result) == [said] and result.stdout, (verb, result.stderr)
    assert "no run.h5" in run(command("export", "lost", place("csv"), "--to", "csv"), status=66).stderr
    for step in (6, 12):
        path = os.path.join(RUNS, "lost", "checkpoints", f"{step:09}.h5")
        with open(path, "r+b") as file:
            file.seek(5000)
            file.write(b"damage")
    assert "no run.h5" in run(command("tensors", "lost"), status=66).stderr
    run(command("rm", "lost", "--yes"))


def test_a_folder_that_is_moved_is_said_and_followed():
    name = "vanished"
    elsewhere = os.path.join(FOLDER, "elsewhere")
    with begin(name, columns=160) as terminal:
        os.rename(os.path.join(RUNS, name), elsewhere)
        terminal.wait_for("was moved to")
        terminal.type("s")
        terminal.wait_for("saved checkpoints/")
        terminal.type("\x03")
        assert terminal.finish() == 130
        assert f"foretop resume elsewhere --runs {FOLDER}" in terminal.after, terminal.after
    assert len([file for file in os.listdir(os.path.join(elsewhere, "checkpoints")) if file.endswith(".h5")]) == 2
    os.rename(elsewhere, os.path.join(RUNS, name))
    assert state(name)["state"] == "stopped"
    run(command("verify", name))


def test_a_folder_that_is_removed_is_said_and_the_weights_are_saved():
    name = "removed"
    log = os.path.join(FOLDER, "removed.log")
    with open(log, "w") as file:
        process = subprocess.Popen(train(name, "--headless", *ENDLESS), stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=subprocess.STDOUT)
    said = lambda: open(log).read()
    wait_until(lambda: "/1 000 000" in said(), "it trains")
    shutil.rmtree(os.path.join(RUNS, name))
    wait_until(lambda: "was removed during the run" in said(), lambda: f"it is said:\n{said()}")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 74, said()
    assert said().count("was removed during the run") <= 2 and "--from-checkpoint" in said(), said()
    step, = checkpoints(name)
    run(command("recover", name, "--from-checkpoint"))
    run(command("resume", name, "--headless", "--steps", str(step + 2)))


def test_a_folder_that_may_only_be_read_is_read_and_nothing_else():
    runs = os.path.join(FOLDER, "read-only")
    where = ["--runs", runs]
    run([*train("a", "--headless", "--steps", "12"), *where])
    before = sorted(os.walk(runs))
    bound = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'

    def there(*arguments, status=0):
        return run([*SPACE, "sh", "-c", bound, runs, PROGRAM, *arguments, *where], status=status)

    there("verify", "a")
    assert "finished" in there("runs").stdout
    assert len(there("inspect", "a", "--json").stdout.splitlines()) > 12
    there("tensors", "a")
    there("generate", "a", "--prompt", "and", "--tokens", "4")
    there("export", "a", os.path.join(FOLDER, "read-only.csv"), "--to", "csv")
    there("snapshot", "a", os.path.join(FOLDER, "read-only.h5"))
    for arguments, status in (
            (train("b", "--headless", "--steps", "12")[1:], 73), (["resume", "a", "--steps", "20", "--headless"], 73),
            (["rm", "a", "--yes"], 73), (["prune", "a", "--yes"], 73)):
        said = there(*arguments, status=status).stderr
        assert "Read-only file system" in said and said.count("\n") == 1, said
    assert sorted(os.walk(runs)) == before
    run([PROGRAM, "resume", "a", "--steps", "20", "--headless", *where])


def test_of_two_that_begin_a_run_at_once_one_does():
    for attempt in range(5):
        name = f"raced-{attempt}"
        both = [subprocess.Popen(train(name, "--headless", "--steps", "12"), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=PATIENCE)[1] for process in both]
        assert sorted(process.returncode for process in both) in ([0, 69], [0, 73]), said
        assert [event["step"] for event in events(name, "step")] == list(range(1, 13))
        run(command("verify", name))


def test_a_second_writer_is_refused():
    with begin("twice-written") as terminal:
        result = run(command("resume", "twice-written", "--headless"), status=69)
        assert "being trained by another process" in result.stderr, result.stderr
        assert "there is a run" in run(train("twice-written", "--headless"), status=73).stderr
        for verb in (["recover", "twice-written"], ["rm", "twice-written", "--yes"], ["prune", "twice-written", "--yes"]):
            assert "is being written by process" in run(command(*verb), status=69).stderr
        run(command("verify", "twice-written"))
        terminal.signal(signal.SIGTERM)
        assert terminal.finish() == 143


def test_a_run_whose_checkpoints_do_not_fit_is_refused_with_the_numbers():
    def tables(keys):
        return ["--set", f"model.memory.keys={keys}", "--set", "model.memory.valueWidth=32", "--set", "model.memory.preWidth=16"]

    with SmallDisk("refused", 40) as disk:
        log = os.path.join(FOLDER, "refused.log")

        def attempt(name, steps, *more):
            arguments = options(disk, name, "--headless", *more)
            arguments[arguments.index("--steps") + 1] = str(steps)
            with open(log, "w") as file:
                status = subprocess.run(
                    disk.command(arguments), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                    timeout=PATIENCE).returncode
            return status, open(log).read()

        # One checkpoint is too large.
        numbers = r"this run needs \d+ MB on the disk, for a checkpoint of \d+ MB and [\d.]+ MB of metrics, but \d+ MB are free on the disk of"
        status, said = attempt("a", 2, *tables(200))
        assert status == 69 and re.search(numbers, said), said
        assert "or set save.weightsOnly: true" in said, said
        assert not os.path.exists(os.path.join(disk.inside, "a")), "nothing is left of it"
        # One would fit, and as many as are there at once do not.
        often = [*tables(72), "--set", "save.every=10"]
        status, said = attempt("b", 40, *often)
        assert status == 69 and "4 checkpoints of" in said and "the newest 3, and one that is being written" in said, said
        assert "or set save.keep: 1: then it needs" in said and not os.path.exists(os.path.join(disk.inside, "b")), said
        status, said = attempt("b", 40, *often, "--set", "save.keep=1")
        assert status == 0 and "saved checkpoints/" in said, said
        kept = [name for name in os.listdir(os.path.join(disk.inside, "b", "checkpoints")) if name.endswith(".h5")]
        assert kept == ["000000040.h5"], kept
        # A run that goes on has some of its files already.
        resumed = subprocess.run(
            disk.command([PROGRAM, "resume", "b", "--runs", disk.folder, "--headless", "--steps", "60"]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        shutil.rmtree(os.path.join(disk.inside, "b"))
        status, said = attempt("c", 2, *tables(200), "--set", "save.weightsOnly=true")
        assert status == 0 and "saved checkpoints/" in said, said
