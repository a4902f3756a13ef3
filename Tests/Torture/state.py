"""Changes single parts of a stored training state, with every checksum made right again."""

import json
import os
import struct

import h5py
import numpy

TABLE = []
for _index in range(256):
    _value = _index
    for _ in range(8):
        _value = _value >> 1 ^ (0x82F63B78 if _value & 1 else 0)
    TABLE.append(_value)


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def changed_state(folder, saved, zeroed=None, **numbers):
    """Sets all tensors below a group of a checkpoint to zero, or numbers of its state to others."""
    path = os.path.join(folder, "checkpoints", f"{saved:09}.h5")
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 32)
    with h5py.File(path, "r+") as file:
        if zeroed:
            found = []
            file[zeroed].visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
            assert any(numpy.any(item[()]) for item in found), f"{zeroed} is zero anyway"
            for item in found:
                item[...] = 0
        if numbers:
            dataset = file["state/json"]
            state = json.loads(bytes(dataset[()]))
            before = dict(state)
            state.update(numbers)
            assert state != before, f"{numbers} is so anyway"
            text = json.dumps(state, separators=(",", ":")).encode()
            dataset[...] = numpy.frombuffer(text.ljust(len(dataset)), "uint8")
    with open(path, "rb") as file:
        data = file.read()
    trailer = b"foretop CRC32C  " + struct.pack("<QI", len(data), crc32c(data))
    with open(path, "ab") as file:
        file.write(trailer + struct.pack("<I", crc32c(trailer)))


def forgotten(folder, step, kind):
    """Makes the last change of the rate or of a weight, which came after a step, a change of nothing."""
    with h5py.File(os.path.join(folder, "run.h5"), "r+", libver=("v110", "v110")) as file:
        events = file["events"]
        records = events[()]
        index = max(index for index, record in enumerate(records) if record["kind"] == kind.encode())
        assert records[index]["step"] >= step, f"the last change of {kind} came before step {step}"
        records[index]["kind"] = b"notice"
        records[index]["commit"] = crc32c(struct.pack("<Q", index) + records[index].tobytes()[:-4])
        events[...] = records
