# Makes the pyramid over /metrics again with numpy and compares it with what is stored; prints each level and its rows.
# With --remove it is taken out of the file instead, as older files have none.
import sys
import warnings
import h5py
import numpy as np

FACTOR = 64
AXES = ["step", "tokens", "time", "active"]
warnings.simplefilter("ignore", RuntimeWarning)


def word(text):
    return text.decode() if isinstance(text, bytes) else text


def check(name, wanted, found):
    assert len(found) >= len(wanted), f"{name} has {len(found)} rows, not {len(wanted)}"
    wrong = ~np.isclose(wanted, found[: len(wanted)], rtol=1e-6, atol=0, equal_nan=True)
    assert not wrong.any(), f"{name}: row {np.argmax(wrong)} is {found[np.argmax(wrong)]}, not {wanted[np.argmax(wrong)]}"


if sys.argv[2:] == ["--remove"]:
    with h5py.File(sys.argv[1], "r+") as file:
        del file["overview"]
    sys.exit()

with h5py.File(sys.argv[1], "r") as file:
    rows = len(file["metrics/commit"])
    names = [word(name) for name in file["metrics/commit"].attrs["columns"]]
    for level in range(1, 4):
        size = FACTOR**level
        groups = rows // size
        for name in names:
            values = file["metrics/" + name][: groups * size].astype(np.float64).reshape(groups, size)
            group = file[f"overview/L{level}"]
            if name in AXES:
                check(name, values[:, -1], group[name][:])
                continue
            finite = np.where(np.isfinite(values), values, np.nan)
            for part, function in (("minimum", np.nanmin), ("maximum", np.nanmax), ("mean", np.nanmean)):
                check(f"{name}/{part}", function(finite, axis=1) if groups else np.zeros(0), group[f"{name}/{part}"][:])
            check(f"{name}/bad", (~np.isfinite(values)).sum(axis=1), group[f"{name}/bad"][:])
        print(f"L{level} {groups}")
        assert len(file[f"overview/L{level}/commit"]) == groups
