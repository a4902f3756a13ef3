# Prints every object of an HDF5 file: path, type, shape, chunk, and attributes by name.
import sys
import h5py


def show(path, item):
    names = sorted(item.attrs)
    if isinstance(item, h5py.Dataset):
        chunk = item.chunks[0] if item.chunks else "-"
        most = "grows" if item.maxshape == (None,) else "fixed"
        assert item.compression is None and not item.fletcher32 and not item.external and not item.is_virtual
        kind = str(item.dtype) if item.dtype.names is None else "record " + ",".join(item.dtype.names)
        print(path, kind, most, chunk, " ".join(names))
    else:
        print(path, "group", " ".join(names))


def walk(path, group):
    for name in sorted(group):
        link = group.get(name, getlink=True)
        assert isinstance(link, h5py.HardLink), name
        show(path + name, group[name])
        if isinstance(group[name], h5py.Group):
            walk(path + name + "/", group[name])


with h5py.File(sys.argv[1], "r") as file:
    show("/", file)
    walk("/", file)
