"""Files that claim more than they hold, and files that somebody else has written into: what is read, refused and kept."""

import json
import os
import resource
import shutil
import stat
import subprocess

import h5py

from disk_tests import SmallDisk
from support import *

GIGABYTE = 1 << 30


def killed(name, *options):
    """A run that was killed after some steps; its folder."""
    process = subprocess.Popen(
        train(name, "--json", "--steps", "100000", "--set", "save.every=10", "--set", "evaluate.every=20", *options),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    saved = 0
    for line in process.stdout:
        event = json.loads(line)
        saved += event.get("kind") == "saved"
        if saved >= 3:
            break
    process.kill()
    process.communicate()
    assert saved >= 3, "it ended before it was killed"
    return os.path.join(RUNS, name)


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (6 * GIGABYTE, 6 * GIGABYTE))


def ask(*arguments, **options):
    """A command with little memory: its status, and all that it says. Only a hang reaches the limit of time."""
    result = subprocess.run(
        [PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE,
        preexec_fn=little_memory, **options)
    return result.returncode, result.stdout + result.stderr


def verbs(name):
    """Every command that opens a run and leaves it as it is."""
    file = lambda ending: os.path.join(FOLDER, f"{name}-out{ending}")
    return [
        ["inspect", name, "--headless"], ["inspect", name, "--json"], ["inspect", name, "summary"], ["inspect", name, "metrics"],
        ["inspect", name, "events"], ["inspect", name, "checkpoints"], ["inspect", name, "recipe"], ["verify", name], ["runs"],
        ["export", name, file(".csv"), "--to", "csv", "--force"], ["export", name, file(".st"), "--to", "safetensors", "--force"],
        ["snapshot", name, file(".h5"), "--force"], ["generate", name, "--prompt", "and", "--tokens", "4"],
        ["tensors", name], ["diff", name, name]]


def test_a_journal_that_claims_a_hundred_gigabytes_is_read_as_what_it_holds():
    folder = killed("holed-journal")
    os.truncate(folder + "/run.journal", 100 * GIGABYTE)
    steps = None
    for arguments in verbs("holed-journal"):
        status, said = ask(*arguments, "--runs", RUNS)
        assert status == 0, (arguments, status, said[-2000:])
        if arguments[-1] == "--json":
            steps = said.count('"event":"step"')
    shutil.copytree(folder, RUNS + "/holed-copy", ignore=shutil.ignore_patterns("run.journal", "control.sock"))
    shutil.copy(folder + "/run.lock", RUNS + "/holed-copy/run.lock")
    with open(RUNS + "/holed-copy/run.journal", "wb") as copy, open(folder + "/run.journal", "rb") as journal:
        copy.write(journal.read(1 << 20))
    os.truncate(RUNS + "/holed-copy/run.journal", 100 * GIGABYTE)
    for name, arguments in (("holed-journal", ["recover"]), ("holed-copy", ["prune", "--yes"])):
        status, said = ask(arguments[0], name, *arguments[1:], "--runs", RUNS)
        assert status == 0, (arguments, status, said[-2000:])
    assert len(events("holed-journal", "step")) == steps
    status, said = ask("resume", "holed-copy", "--headless", "--steps", "60", "--runs", RUNS)
    assert status in (0, 64), said
    run(command("verify", "holed-copy"))


def test_a_run_file_that_claims_ten_gigabytes_is_refused_or_made_again():
    folder = killed("holed-run")
    shutil.copytree(folder, RUNS + "/holed-closed", ignore=shutil.ignore_patterns("control.sock"))
    run(command("recover", "holed-closed"))
    for name in ("holed-run", "holed-closed"):
        os.truncate(f"{RUNS}/{name}/run.h5", 10 * GIGABYTE)
    for arguments in verbs("holed-closed"):
        status, said = ask(*arguments, "--runs", RUNS)
        # A network needs no run.h5.
        isNetwork = arguments[0] in ("generate", "tensors") or "safetensors" in arguments
        assert status == (0 if isNetwork or arguments[0] == "runs" else 65), (arguments, status, said[-2000:])
        assert "the rest is a hole" in said, (arguments, said[-2000:])
    status, said = ask("recover", "holed-closed", "--runs", RUNS)
    assert status == 65 and "the rest is a hole" in said, said
    # The journal has all of it.
    status, said = ask("recover", "holed-run", "--runs", RUNS)
    assert status == 0, said
    assert os.path.getsize(folder + "/run.h5") < GIGABYTE
    run(command("verify", "holed-run"))


def test_a_run_file_that_claims_more_than_the_disk_has_takes_only_the_room_that_it_needs():
    folder = killed("small-room")
    with SmallDisk("hostile", 40) as disk:
        inside = disk.inside + "/a"
        shutil.copytree(folder, inside, ignore=shutil.ignore_patterns("control.sock"))
        # Few enough bytes to be no plain lie, and more than the disk has.
        os.truncate(inside + "/run.h5", 60 << 20)
        os.remove(inside + "/run.journal")
        with open(inside + "/run.h5", "r+b") as file:
            file.seek((60 << 20) - 1)
            file.write(b"x")
        result = subprocess.run(
            disk.command([PROGRAM, "recover", "a", "--runs", disk.folder]), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=4 * PATIENCE)
        # There is no room for a copy: what is in it is written anew.
        assert result.returncode == 0, (result.returncode, result.stderr)
        assert os.path.getsize(inside + "/run.h5") < 8 << 20 and not os.path.exists(inside + "/run.h5.copy"), os.listdir(inside)
        disk.fill(leaving=100)
        os.truncate(inside + "/run.h5", 60 << 20)
        before = os.statvfs(disk.inside).f_bavail
        result = subprocess.run(
            disk.command([PROGRAM, "resume", "a", "--headless", "--steps", "100000", "--runs", disk.folder]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE)
        # Without room for a checkpoint, the run is refused before its file is looked at closely.
        said = "No space left" in result.stderr or "are free on the disk" in result.stderr
        assert result.returncode in (69, 73, 74) and said, (result.returncode, result.stderr)
        assert os.statvfs(disk.inside).f_bavail >= before - 2 and not os.path.exists(inside + "/run.h5.copy"), os.listdir(inside)


def test_a_recovery_that_is_told_to_end_leaves_no_copy():
    folder = killed("told")
    for _ in range(20):
        process = subprocess.Popen(command("recover", "told"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None:
            if any(name.endswith((".copy", ".new")) for name in os.listdir(folder)):
                process.terminate()
                break
        process.communicate()
        left = [name for name in os.listdir(folder) if name.endswith((".copy", ".new", ".copy.new"))]
        assert not left, left
        if process.returncode == 0:
            break
    run(command("recover", "told"))
    run(command("verify", "told"))


def test_what_somebody_else_wrote_into_a_run_is_left_alone_and_said_once():
    name = "noted"
    folder = killed(name)
    run(command("recover", name))
    with h5py.File(folder + "/run.h5", "r+", libver=("v110", "v110")) as file:
        write_into(file)
    before = len(events(name, "step"))
    for arguments in verbs(name):
        status, said = ask(*arguments, "--runs", RUNS)
        assert status == 0, (arguments, said[-2000:])
        isNetwork = arguments[0] in ("generate", "tensors") or "safetensors" in arguments
        times = 0 if isNetwork or arguments[0] == "runs" else 2 if arguments[0] == "diff" else 1
        assert said.count("and does not read it") == times, (arguments, said[-2000:])
        if arguments[0] == "verify":
            assert "foretop did not write" in said and "note" in said, said
        if arguments[0] == "snapshot":
            assert "objects that foretop did not write are left out" in said, said
    result = run(command("recover", name, "--from-checkpoint"), status=64)
    assert "can be read" in result.stderr, result.stderr
    status, said = ask("resume", name, "--headless", "--steps", str(before + 20), "--runs", RUNS)
    assert status == 0, said
    assert [event["step"] for event in events(name, "step")] == list(range(1, before + 21))
    with h5py.File(folder + "/run.h5", "r") as file:
        assert file.attrs["note"] == "mine" and file["metrics/loss"].attrs["who"][0] == "me"
        assert file["mine/words"].asstr()[1] == "two" and "metrics" in file["mine/again"]


def write_into(file):
    """Everything that somebody may add to a file of his own."""
    file.attrs["note"] = "mine"
    file["metrics/loss"].attrs.create("who", ["me", "you"], dtype=h5py.string_dtype())
    file["metrics/loss/ntp"].attrs["colour"] = "red"
    for number in range(100):
        file["heldout"].attrs[f"a{number}"] = number
    mine = file.create_group("mine")
    mine.create_dataset("words", data=["one", "two"], dtype=h5py.string_dtype())
    mine.create_dataset("packed", data=[0.0] * 1000, compression="gzip")
    mine["again"] = file["/"]
    mine["elsewhere"] = h5py.SoftLink("/nowhere")
    file["metrics"].create_dataset("mine", data=[[1, 2], [3, 4]])
    file["events-of-mine"] = file["metrics/step"]


def test_a_link_to_another_file_is_refused_and_named():
    folder = killed("linked")
    run(command("recover", "linked"))
    with h5py.File(folder + "/run.h5", "r+", libver=("v110", "v110")) as file:
        file["metrics/other"] = h5py.ExternalLink("/etc/passwd", "/")
    result = run(command("inspect", "linked", "summary"), status=65)
    assert "/metrics/other in" in result.stderr and 'del file["/metrics/other"]' in result.stderr, result.stderr
    rows = len(h5py.File(folder + "/run.h5", "r")["metrics/step"])
    # Who does not want that keeps what was recorded.
    result = run(command("recover", "linked", "--from-checkpoint"))
    assert "run.h5.damaged" in result.stdout, result.stdout
    with open(folder + "/run.h5", "r+b") as file:
        file.write(b"x" * 4096)
    result = run(command("recover", "linked", "--from-checkpoint"))
    assert "run.h5.damaged-2" in result.stdout, result.stdout
    assert len(h5py.File(folder + "/run.h5.damaged", "r")["metrics/step"]) == rows
    run(command("rm", "linked", "--yes"))
    assert not os.path.exists(folder)


def test_a_folder_that_may_not_be_read_is_no_empty_one():
    folder = killed("closed-to-all")
    os.chmod(FOLDER, 0o755)
    os.chmod(RUNS, 0o755)
    os.chmod(folder, 0o755)
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o644 if os.path.isfile(os.path.join(folder, name)) else 0)

    def nobody():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

    def there(*arguments):
        result = subprocess.run(
            [PROGRAM, *arguments, "--runs", RUNS], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=4 * PATIENCE, preexec_fn=nobody)
        return result.returncode, result.stdout + result.stderr

    if there("--help")[0] != 0:
        raise Skipped("the program cannot be read by another user")
    run(command("recover", "closed-to-all"))
    os.chmod(folder + "/run.h5", 0o644)
    status, said = there("runs")
    assert status == 0 and "cannot list" in said and "Permission denied" in said, said
    for arguments in (["inspect", "closed-to-all", "checkpoints"], ["tensors", "closed-to-all"], ["verify", "closed-to-all"]):
        status, said = there(*arguments)
        assert status == 74 and "cannot list" in said, (arguments, status, said)
    os.chmod(RUNS, 0)
    try:
        for arguments in (["inspect", "closed-to-all"], ["runs"]):
            status, said = there(*arguments)
            assert status == 74 and "Permission denied" in said, (arguments, status, said)
    finally:
        os.chmod(RUNS, stat.S_IRWXU)
        os.chmod(folder + "/checkpoints", stat.S_IRWXU)
