# Makes run files that nobody should open, from a good one, and prints their names. Argument 1: where; 2: the good run.
import os
import shutil
import sys
import h5py
import numpy

where, good = sys.argv[1:]


def variant(name):
    def build(change):
        shutil.copytree(good, os.path.join(where, name))
        with h5py.File(os.path.join(where, name, "run.h5"), "r+", libver=("v110", "v110")) as file:
            change(file)
        print(name)

    return build


@variant("soft-link")
def _(file):
    del file["metrics/loss/ntp"]
    file["metrics/loss/ntp"] = h5py.SoftLink("/metrics/loss/top")


@variant("external-link")
def _(file):
    del file["heldout"]
    file["heldout"] = h5py.ExternalLink("/etc/passwd", "/heldout")


@variant("external-storage")
def _(file):
    del file["metrics/rate"]
    file.create_dataset("metrics/rate", (30,), "f8", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


@variant("variable-length")
def _(file):
    del file["samples/text/bytes"]
    file.create_dataset("samples/text/bytes", (3,), h5py.string_dtype())


@variant("virtual")
def _(file):
    layout = h5py.VirtualLayout((30,), "f8")
    layout[:] = h5py.VirtualSource(os.path.join(good, "run.h5"), "metrics/rate", (30,))
    del file["metrics/rate"]
    file.create_virtual_dataset("metrics/rate", layout)


@variant("filtered")
def _(file):
    del file["metrics/rate"]
    file.create_dataset("metrics/rate", (30,), "f8", chunks=(30,), maxshape=(None,), compression="gzip")


@variant("rank")
def _(file):
    del file["metrics/rate"]
    file.create_dataset("metrics/rate", (30, 2), "f8")


@variant("bomb")
def _(file):
    for name in ["step", "commit"]:
        del file["metrics/" + name]
        file.create_dataset("metrics/" + name, (1 << 50,), "u8", chunks=(4096,), maxshape=(None,))


@variant("big-text")
def _(file):
    file["samples/text/bytes"].resize((1 << 48,))


@variant("other-events")
def _(file):
    del file["events"]
    file.create_dataset("events", (3,), numpy.dtype([("step", "u8")]))


@variant("other-format")
def _(file):
    file.attrs["format"] = "other"


@variant("newer")
def _(file):
    file.attrs["formatVersion"] = 99
