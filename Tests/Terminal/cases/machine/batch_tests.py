"""Signals of batch systems: which save, which end a run, and which stay ignored."""

import os
import resource
import signal
import subprocess
import sys
import time

from machine_tests import SMALL, saved, start, wait_for_event
from support import *


def test_usr1_saves_and_goes_on():
    process = start("usr1")
    for _ in range(2):
        process.send_signal(signal.SIGUSR1)
        step = wait_for_event(process, saved)["step"]
        wait_for_event(process, lambda event: event["event"] == "step" and event["step"] > step + 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert len(checkpoints("usr1")) >= 2


def test_usr2_and_xcpu_save_and_stop_however_often_they_come():
    for number in (signal.SIGUSR2, signal.SIGXCPU):
        name = number.name.lower()
        process = start(name)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:
            process.send_signal(number)
            assert time.monotonic() < deadline, f"{name} does not end it"
            time.sleep(0.01)  # not to wait for anything: it comes again and again
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + number, (process.returncode, errors)
        summary = state(name)
        assert summary["state"] == "stopped" and checkpoints(name) == [summary["step"]], summary
        run(command("resume", name, "--headless", "--steps", str(summary["step"] + 2)))


def test_every_signal_that_would_end_another_program_saves_and_stops():
    numbers = [signal.SIGQUIT, signal.SIGPWR, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, 16, signal.SIGRTMIN, signal.SIGRTMAX]
    for number in numbers:
        process = start(f"signal-{int(number)}")
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + number, (number, process.returncode, errors)
        summary = state(f"signal-{int(number)}")
        assert summary["state"] == "stopped" and checkpoints(f"signal-{int(number)}") == [summary["step"]], (number, summary)


def test_the_kernels_limit_on_cpu_time_saves_and_stops():
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (4, 120))
    result = subprocess.run(
        [*train("cpu-time", *ENDLESS), "--headless"], stdin=subprocess.DEVNULL, capture_output=True, text=True, preexec_fn=limit,
        timeout=PATIENCE)
    assert result.returncode == 128 + signal.SIGXCPU, (result.returncode, result.stderr)
    assert state("cpu-time")["state"] == "stopped" and checkpoints("cpu-time")


def test_signals_before_the_first_step_end_what_has_nothing_to_save():
    for number, status in ((signal.SIGUSR2, 140), (signal.SIGXCPU, 152)):
        name = "early-" + number.name.lower()
        text = os.path.join(FOLDER, "early.txt")
        with open(TEXT) as file, open(text, "w") as out:
            out.write(file.read() * 40)
        process = subprocess.Popen(
            [PROGRAM, "train", "tiny", "--name", name, "--runs", RUNS, "--data", text, "--threads", "1", "--headless", "--set",
             "tokenizer.kind=sentencepiece", "--set", f"tokenizer.vocabulary={600 + status}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = process.stdout.readline()
        process.send_signal(signal.SIGUSR1)
        process.send_signal(number)
        output = said + process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == status, (process.returncode, output)


def test_a_signal_is_heard_on_the_screen_and_by_a_stored_run():
    with begin("usr-screen") as terminal:
        terminal.signal(signal.SIGUSR1)
        terminal.wait_for("saved checkpoints/")
        terminal.signal(signal.SIGUSR2)
        assert terminal.finish() == 140
        terminal.assert_restored()
    with Terminal(command("inspect", "usr-screen")) as terminal:
        terminal.wait_for("losses")
        terminal.signal(signal.SIGUSR1)
        terminal.type("?")
        terminal.wait_for("the previous, the next TOP probe")
        terminal.signal(signal.SIGUSR2)
        assert terminal.finish() == 140
        terminal.assert_restored()


def test_ignored_signals_stay_ignored():
    ignore = "import signal, os, sys; signal.signal(signal.SIGUSR2, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", ignore, *train("deaf-usr2", *ENDLESS), "--json"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True)
    wait_for_event(process, lambda event: event["event"] == "step")
    process.send_signal(signal.SIGUSR2)
    wait_for_event(process, lambda event: event["event"] == "step" and event["step"] > 50)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143


def test_a_file_that_is_not_finished_goes_when_a_batch_system_ends_its_writer():
    wide = ["--set", "model.width=256", "--set", "model.blocks=4"]
    run(train("to-export", "--headless", "--steps", "1", *SMALL, *wide))
    folder = os.path.join(FOLDER, "unfinished")
    os.makedirs(folder)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU):
        process = subprocess.Popen(
            command("export", "to-export", os.path.join(folder, "x.safetensors"), "--to", "safetensors", "--force"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not [name for name in os.listdir(folder) if name.startswith(".")]:
            pass
        process.send_signal(number)
        assert process.wait(PATIENCE) in (0, -number)
        assert not [name for name in os.listdir(folder) if name.startswith(".")], os.listdir(folder)


# The limit on the size of a file


def test_ranks_of_a_program_without_mpi_are_refused_with_one_sentence():
    libraries = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
    if "libmpi" in libraries:
        raise Skipped("this program was built with MPI")
    for rank in range(2):
        ranks = dict(os.environ, OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_RANK=str(rank))
        result = run(train("ranks", "--headless"), status=69, env=ranks)
        assert ("FORETOP_MPI=1" in result.stderr) == (rank == 0), result.stderr
    assert state("ranks") is None
    # Alone under mpirun, it trains.
    run(train("alone", "--steps", "2", "--headless"), env=dict(os.environ, OMPI_COMM_WORLD_SIZE="1"))
