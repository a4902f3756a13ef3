"""Limits of the machine on threads, processes and memory: a run is refused with the limit's name, or goes on with less; it never
waits for what is not given, and whatever goes on obeys TERM."""

import contextlib
import os
import re
import resource
import signal
import subprocess

from support import *

SMALL = ["--set", "model.blocks=2", "--set", "model.width=64", "--set", "model.heads=2", "--set", "model.keyValueHeads=2",
         "--set", "model.context=64", "--set", "batch.rows=4", "--set", "tokenizer.vocabulary=260"]


def small(name, runs, *options, threads=2):
    return [PROGRAM, "train", "tiny", *SMALL, "--name", name, "--runs", runs, "--data", TEXT, "--threads", str(threads),
            "--headless", *options]


def ended(process, log, what):
    """The status of a process that must end by itself, or at the first TERM."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{what} never ends:\n{open(log).read()[-2000:]}") from None


class Stranger:
    """Somebody who has no other process, so that a limit on the user's processes counts these alone; only root can be another."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skipped("only root can start programs as a user who has no other processes")
        self.number = 54321 + os.getpid() % 10000
        self.folder = os.path.join(FOLDER, f"user-{self.number}")
        os.makedirs(self.folder, exist_ok=True)
        os.chown(self.folder, self.number, self.number)
        os.chmod(FOLDER, 0o755)
        reads = subprocess.run([PROGRAM, "--version"], preexec_fn=self.become(), capture_output=True)
        if reads.returncode != 0:
            raise Skipped(f"another user cannot start {PROGRAM}")

    def become(self, processes=None):
        def change():
            os.setgroups([])
            os.setgid(self.number)
            os.setuid(self.number)
            if processes:
                resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))

        return change

    def environment(self):
        return {**os.environ, "XDG_CACHE_HOME": os.path.join(self.folder, "cache"), "HOME": self.folder}


def test_a_limit_on_the_users_processes_is_refused_by_its_name_or_holds_nothing_up():
    stranger = Stranger()
    statuses = []
    for most in range(1, 11):
        log = os.path.join(FOLDER, f"processes-{most}.log")
        with open(log, "w") as file:
            process = subprocess.Popen(
                small("a", os.path.join(stranger.folder, f"runs-{most}"), "--steps", "12"), stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.STDOUT, preexec_fn=stranger.become(most), env=stranger.environment())
        status = ended(process, log, f"a run under ulimit -u {most}")
        said = open(log).read()
        assert status in (0, 69), f"ulimit -u {most}: {status}\n{said}"
        if status == 69:
            assert f"ulimit -u (RLIMIT_NPROC) allows this user {most}" in said, said
            assert not os.path.exists(os.path.join(stranger.folder, f"runs-{most}", "a")), "a refused run left a folder"
        statuses.append(status)
    assert statuses[0] == 69 and statuses[-1] == 0, statuses


def test_measuring_without_threads_to_spare_is_refused_in_one_line():
    stranger = Stranger()
    for arguments in (["plan", "tiny", "--data", TEXT], ["bench", "tiny", "--rounds", "1", "--data", TEXT], ["bench", "--only", "limit"],
                      ["bench", "--only", "kernels"]):
        result = subprocess.run(
            [PROGRAM, *arguments, "--threads", "2"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
            preexec_fn=stranger.become(1), env=stranger.environment())
        assert result.returncode == 69, result
        said = [line for line in result.stderr.splitlines() if not line.startswith("bench: ")]
        assert len(said) == 1 and "needs 1 more thread, and gets 0: ulimit -u" in said[0], result.stderr


@contextlib.contextmanager
def group_of_processes():
    """A control group that may have so many threads and processes as is written to its `pids.max`."""
    name = f"foretop-{os.getpid()}"
    for root in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        folder = os.path.join(root, name)
        try:
            os.mkdir(folder)
        except OSError:
            continue
        if os.path.exists(os.path.join(folder, "pids.max")):
            break
        os.rmdir(folder)
    else:
        raise Skipped("no control group with pids.max can be made here")

    def limit(most):
        with open(os.path.join(folder, "pids.max"), "w") as file:
            file.write(f"{most}\n")

    def enter():
        with open(os.path.join(folder, "cgroup.procs"), "w") as file:
            file.write(f"{os.getpid()}\n")

    def current():
        return int(open(os.path.join(folder, "pids.current")).read())

    try:
        yield limit, enter, current
    finally:
        wait_until(lambda: current() == 0, "the group is empty")
        os.rmdir(folder)


def test_a_control_groups_limit_is_refused_by_its_name_or_holds_nothing_up():
    with group_of_processes() as (limit, enter, _):
        for most in range(1, 11):
            limit(most)
            log = os.path.join(FOLDER, f"group-{most}.log")
            with open(log, "w") as file:
                process = subprocess.Popen(
                    small(f"group-{most}", RUNS, "--steps", "12"), stdin=subprocess.DEVNULL, stdout=file,
                    stderr=subprocess.STDOUT, preexec_fn=enter)
            status = ended(process, log, f"a run under pids.max {most}")
            said = open(log).read()
            assert status in (0, 69), f"pids.max {most}: {status}\n{said}"
            assert status == 0 or f"pids.max allows {most}" in said, said
        assert status == 0, said


def test_a_run_whose_machine_gives_no_thread_more_saves_and_stops():
    with group_of_processes() as (limit, enter, current):
        limit("max")
        log = os.path.join(FOLDER, "no-more.log")
        with open(log, "w") as file:
            process = subprocess.Popen(
                small("no-more", RUNS, *ENDLESS), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                preexec_fn=enter)
        wait_until(lambda: "/1 000 000" in open(log).read(), lambda: f"it trains:\n{open(log).read()}")
        limit(current())
        process.send_signal(signal.SIGTERM)
        assert ended(process, log, "a run that gets no thread more") == 143, open(log).read()
        limit("max")
    assert len(checkpoints("no-more")) == 1
    run(command("verify", "no-more"))


def test_without_a_process_to_spare_a_run_is_not_called_damaged():
    run(train("sound", "--headless", "--steps", "12"))
    with group_of_processes() as (limit, enter, _):
        limit(1)
        for arguments in (command("verify", "sound"), command("runs"), command("inspect", "sound", "summary")):
            result = subprocess.run(
                arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, preexec_fn=enter)
            assert result.returncode == 69 and "pids.max allows 1" in result.stderr, (arguments, result)
            assert "damaged" not in result.stdout + result.stderr, (arguments, result)


def test_whatever_address_space_there_is_a_run_trains_or_says_what_it_needs():
    done = []
    for megabytes in [*range(200, 1000, 50), 2000, 4000]:
        name = f"space-{megabytes}"
        result = subprocess.run(
            ["bash", "-c", f'ulimit -v {megabytes * 1024}; exec "$@"', "-", *small(name, RUNS, "--steps", "12")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        said = result.stdout + result.stderr
        # Where not even its libraries fit, the loader says so.
        assert result.returncode in (0, 69, 127), f"ulimit -v {megabytes} MB: {result.returncode}\n{said}"
        assert result.returncode != 69 or re.search(r"ulimit -v \(RLIMIT_AS\) allows", said), f"{megabytes} MB: {said}"
        done.append(result.returncode)
    assert done[-1] == 0 and 69 in done, done


def test_lack_of_address_space_is_never_called_a_fault_of_a_runs_files():
    run(train("scarce", "--headless", "--steps", "120", "--set", "save.every=60"))
    folder, statuses = os.path.join(RUNS, "scarce"), []

    def files():
        return {os.path.join(place, name): os.path.getsize(os.path.join(place, name))
                for place, _, names in os.walk(folder) for name in names}

    before, whole = files(), open(os.path.join(folder, "run.h5"), "rb").read()
    # From where the libraries hardly fit, in steps that hit the reading of run.h5 in many places.
    for megabytes in range(128, 176, 2):
        for arguments in (["verify", "scarce"], ["inspect", "scarce", "summary"], ["recover", "scarce", "--from-checkpoint"]):
            result = subprocess.run(
                ["bash", "-c", f'ulimit -v {megabytes * 1024}; exec "$@"', "-", *command(*arguments)], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=PATIENCE)
            said = f"ulimit -v {megabytes} MB, {arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
            good = 64 if "recover" in arguments else 0
            # Where the libraries or the start of Swift's runtime do not fit, these end the process before the program begins.
            if result.returncode not in (good, 69) and not statuses: continue
            assert result.returncode in (good, 69), said
            assert result.returncode != 69 or "ulimit -v" in result.stderr, said
            assert "is damaged" not in result.stdout + result.stderr and "put the file back" not in result.stderr, said
            statuses.append(result.returncode)
            assert files() == before, (said, files())
    assert 0 in statuses and 69 in statuses, statuses
    assert open(os.path.join(folder, "run.h5"), "rb").read() == whole


def test_the_address_space_that_is_advised_is_enough():
    for threads, options in ((1, SMALL), (2, SMALL), (4, SMALL), (2, ["--set", "evaluate.every=2", "--set", "save.every=2"])):
        def limited(kilobytes, name):
            words = [PROGRAM, "train", "tiny", *options, "--name", name, "--runs", RUNS, "--data", TEXT, "--threads", str(threads),
                     "--headless", "--steps", "6"]
            return subprocess.run(
                ["bash", "-c", f'ulimit -v {kilobytes}; exec "$@"', "-", *words], stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=PATIENCE)

        name = f"advised-{threads}-{len(options)}"
        refused = limited(200_000, name)
        assert refused.returncode == 69, refused
        (advice,) = re.findall(r"raise it to (\d+)", refused.stderr)
        followed = limited(int(advice), name)
        assert followed.returncode == 0, (advice, followed.stdout, followed.stderr)


def test_a_plan_for_which_there_is_no_room_is_shown_and_says_how_much_it_takes():
    result = subprocess.run(
        ["bash", "-c", 'ulimit -v 230000; exec "$@"', "-", PROGRAM, "plan", "tiny", "--data", TEXT], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 69 and "raise it to" in result.stderr and "0 MB more" not in result.stderr, result
    assert "parameters" in result.stdout, result
