# Prints, as h5py reads them, the weights of the losses step by step, or that there are none.
import sys
import h5py

with h5py.File(sys.argv[1], "r") as file:
    weights = file["metrics"].get("weight")
    if weights is None:
        print("none")
    else:
        for name in sorted(set(weights) - {"step"}):
            column = weights[name]
            print(name, column.dtype, column.attrs["units"].decode(), *(float(value) for value in column))
