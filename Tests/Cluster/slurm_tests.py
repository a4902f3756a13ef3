"""Experiments on a real Slurm: an array is submitted, stopped, requeued, and comes to the table of an experiment trained here."""

import getpass
import glob
import os
import subprocess

from experiments import EXPERIMENT, experiment, table
from slurm import Slurm
from support import PROGRAM, RUNS, run, wait_until

_slurm = None


def slurm():
    global _slurm
    _slurm = _slurm or Slurm()
    return _slurm


def submit(name, *options, status=0):
    return run([*experiment(name), "--on", "slurm", *options], status).stdout


def queue():
    """Tasks that wait or run."""
    answer = subprocess.run(
        ["squeue", "-h", "-r", "-o", "%i %T", "-u", getpass.getuser()], capture_output=True, text=True).stdout
    return [line.split() for line in answer.splitlines()]


def states(job):
    """The end of each task of an array."""
    answer = subprocess.run(["scontrol", "show", "job", "-o", job], capture_output=True, text=True).stdout
    found = {}
    for line in answer.splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        found[fields.get("ArrayTaskId")] = (fields.get("JobState"), fields.get("Restarts"), fields.get("ExitCode"))
    return found


def job_of(words):
    assert "as Slurm's job " in words, words
    return words.split("as Slurm's job ")[1].split(";")[0]


def saved(name):
    """Checkpoints of the cells of an experiment."""
    return glob.glob(os.path.join(RUNS, name, "*", "checkpoints", "[0-9]*.h5"))


def running_tasks(name):
    """The tasks of an experiment that are in training, once one of its cells has a checkpoint."""
    wait_until(lambda: saved(name), "a checkpoint is there", pause=0.05)
    return [task for task, state in queue() if state == "RUNNING"]


def wait_for_end(name):
    wait_until(lambda: not queue(), lambda: f"{name}'s tasks end: {queue()}\n{slurm().logs()}", pause=0.2)


def test_an_array_comes_to_the_table_of_an_experiment_that_is_trained_here():
    slurm()
    run([*experiment("here"), "--headless"])
    words = submit("array", "--partition", "long")
    job = job_of(words)
    assert "submitted 4 of 4 cells" in words
    # The same command submits nothing twice.
    again = submit("array", "--partition", "long")
    assert "are in the queue or in training" in again or "cells are over" in again, again
    wait_for_end("array")
    assert all(state[0] == "COMPLETED" for state in states(job).values()), states(job)
    assert table("array") == table("here")
    assert "all 4 cells are over" in submit("array")


def test_a_task_that_is_told_to_end_saves_and_is_requeued():
    slurm()
    run([*experiment("whole"), "--headless"])
    # Cells that take long enough to be told something.
    job = job_of(submit("told", "--jobs", "1"))
    running = running_tasks("told")
    subprocess.run(["scancel", "--signal=TERM", "--batch", *running], check=False)
    wait_for_end("told")
    assert table("told") == table("whole")
    ends = states(job)
    assert all(state[0] == "COMPLETED" for state in ends.values()), ends


def test_a_task_that_is_requeued_by_slurm_goes_on():
    slurm()
    run([*experiment("undisturbed"), "--headless"])
    job = job_of(submit("requeued", "--jobs", "1"))
    running = running_tasks("requeued")
    if running:
        subprocess.run(["scontrol", "requeue", running[0]], check=True)
    wait_for_end("requeued")
    assert table("requeued") == table("undisturbed")
    assert all(state[0] == "COMPLETED" for state in states(job).values()), states(job)


def test_a_cancelled_array_goes_on_with_the_same_command():
    slurm()
    run([*experiment("all"), "--headless"])
    job = job_of(submit("cancelled", "--jobs", "1"))
    wait_until(lambda: saved("cancelled"), "a checkpoint is there", pause=0.05)
    subprocess.run(["scancel", job], check=True)
    wait_for_end("cancelled")
    submit("cancelled")
    wait_for_end("cancelled")
    assert table("cancelled") == table("all")


def test_a_dry_run_prints_the_script_and_submits_nothing():
    slurm()
    words = submit("dry", "--dry-run", "--partition", "long", "--time", "1:00:00", "--sbatch=--account=lab")
    for part in ("--array=0,1,2,3", "--partition=long", "--time=1:00:00", "--account=lab", "cell=ntp-1", EXPERIMENT):
        assert part in words, words
    assert not queue() and not os.path.exists(os.path.join(RUNS, "dry"))


def test_a_refusal_of_sbatch_is_a_sentence():
    slurm()
    result = run([*experiment("refused"), "--on", "slurm", "--partition", "nowhere"], 69)
    assert "sbatch refuses" in result.stderr, result.stderr
    result = run([PROGRAM, "experiment", "run", EXPERIMENT, "--partition", "long"], 64)
    assert "--on slurm" in result.stderr, result.stderr
