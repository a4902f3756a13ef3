# Takes some groups out of a table, as in a file that was made before there were such columns.
import sys
import h5py

with h5py.File(sys.argv[1], "r+") as file:
    table = file[sys.argv[2]]
    for name in sys.argv[3:]:
        del table[name]
    names = [name for name in table["commit"].attrs["columns"] if name.decode().split("/")[0] not in sys.argv[3:]]
    table["commit"].attrs["columns"] = names
