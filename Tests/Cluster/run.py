#!/usr/bin/env python3
"""Runs the tests of several processes and machines: run.py PROGRAM [WORD …], where words choose tests by their names or by the
name of their file. PROGRAM is a foretop that was built with FORETOP_MPI=1."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(HERE, "..", "Terminal")]

if len(sys.argv) < 2:
    sys.exit("usage: run.py PROGRAM [WORD …]")

from running import run_tests  # noqa: E402  (needs the path)

passed, failed, skipped = (sum(counts) for counts in zip(*(run_tests(name, sys.argv[2:]) for name in ("mpi_tests", "slurm_tests"))))
print(f"cluster: {passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
