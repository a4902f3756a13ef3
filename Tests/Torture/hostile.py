"""What the rows of damaged and malformed files share: good runs to begin with, checksums that can be made right again, and
how foretop is asked about many runs at once."""

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

from waiting import PATIENCE, SEED, draws

PROGRAM = os.environ["TORTURE_PROGRAM"]
WRITER = os.environ["TORTURE_WRITER"]
FOLDER = tempfile.mkdtemp(dir=os.environ["TORTURE_SCRATCH"])
IS_FULL = sys.argv[1:2] == ["full"]
BATCH = 100
# Seconds of the processor that one file may take, and what a file of a batch takes that is not slow.
HANG, USUAL = 2.0, 0.5

CHECKSUMS = r"""
#include <stdint.h>
#include <stddef.h>
#include <string.h>
uint32_t crc(uint32_t c, const unsigned char *p, size_t n) {
  static uint32_t table[256];
  if (!table[1])
    for (int i = 0; i < 256; i++) {
      uint32_t x = i;
      for (int bit = 0; bit < 8; bit++) x = x & 1 ? x >> 1 ^ 0x82F63B78u : x >> 1;
      table[i] = x;
    }
  for (c = ~c; n; p++, n--) c = c >> 8 ^ table[(c ^ *p) & 255];
  return ~c;
}
#define R(x, k) ((x) << (k) | (x) >> (32 - (k)))
uint32_t lookup3(const unsigned char *k, size_t n) {
  uint32_t a = 0xdeadbeef + (uint32_t)n, b = a, c = a, w[3];
  for (; n > 12; n -= 12, k += 12) {
    memcpy(w, k, 12); a += w[0]; b += w[1]; c += w[2];
    a -= c; a ^= R(c, 4); c += b; b -= a; b ^= R(a, 6); a += c; c -= b; c ^= R(b, 8); b += a;
    a -= c; a ^= R(c, 16); c += b; b -= a; b ^= R(a, 19); a += c; c -= b; c ^= R(b, 4); b += a;
  }
  if (!n) return c;
  memset(w, 0, 12); memcpy(w, k, n); a += w[0]; b += w[1]; c += w[2];
  c ^= b; c -= R(b, 14); a ^= c; a -= R(c, 11); b ^= a; b -= R(a, 25); c ^= b; c -= R(b, 16);
  a ^= c; a -= R(c, 4); b ^= a; b -= R(a, 14); c ^= b; c -= R(b, 24);
  return c;
}
/* How many bytes at P the four that follow are the checksum of; 0 where there is none. */
size_t extent(const unsigned char *p, size_t most) {
  for (size_t n = 8; n + 4 <= most && n < 8192; n++) {
    uint32_t sum;
    memcpy(&sum, p + n, 4);
    if (lookup3(p, n) == sum) return n;
  }
  return 0;
}
"""


def _library():
    path = os.path.join(FOLDER, "checksums.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=CHECKSUMS.encode(), check=True)
    library = ctypes.CDLL(path)
    library.crc.restype = library.lookup3.restype = ctypes.c_uint32
    library.extent.restype = ctypes.c_size_t
    return library


_sums = _library()


def crc(data, start=0):
    return _sums.crc(ctypes.c_uint32(start), bytes(data), ctypes.c_size_t(len(data)))


def lookup3(data):
    return _sums.lookup3(bytes(data), ctypes.c_size_t(len(data)))


def metadata(data):
    """Where HDF5's checksummed structures lie in a file: starts and lengths without their checksums."""
    found = [(0, 44)] if data[8] == 3 else []
    for name in [b"OHDR", b"OCHK", b"EAHD", b"EAIB", b"EASB", b"EADB", b"FAHD", b"FADB", b"FRHP", b"FHDB", b"BTHD", b"BTLF"]:
        place = data.find(name)
        while place >= 0:
            length = _sums.extent(data[place:place + 8196], ctypes.c_size_t(min(8196, len(data) - place)))
            if length:
                found.append((place, length))
            place = data.find(name, place + 1)
    return found


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def report(what, count, bad):
    print(f"{what} | {count} | {bad}", flush=True)


def write_run(name, steps=60):
    """A run of the writer's: a made-up history, a tiny model, a checkpoint."""
    folder = os.path.join(FOLDER, name)
    subprocess.run([WRITER, "write", folder, str(steps), "0"], check=True, stdout=subprocess.DEVNULL)
    return folder


def killed_run(name):
    """A run whose writer was killed: run.h5 as it was left, and the journal."""
    folder = os.path.join(FOLDER, name)
    writer = subprocess.Popen([WRITER, "hold", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout.readline().startswith(b"open")
    writer.kill()
    writer.wait()
    return folder


def trained_run(name, seed, *settings):
    text = os.path.join(FOLDER, "text.txt")
    if not os.path.exists(text):
        draw = draws("text")
        words = "and the of that it unto lord shall in he said for them all his be which thou not is was".split()
        with open(text, "w") as file:
            for _ in range(400):
                file.write(" ".join(draw.choice(words) for _ in range(12)) + ".\n")
    small = ["model.width=32", "model.inner=64", "model.context=32", "batch.rows=4", "data.heldOut=0.02",
             "evaluate.every=10", "save.every=10", "sample.every=10", f"seed={seed}", *settings]
    foretop("train", "tiny", "--runs", FOLDER, "--name", name, "--data", text, "--threads", "1", "--steps", "30",
            "--headless", *[word for setting in small for word in ("--set", setting)])
    return os.path.join(FOLDER, name)


def foretop(*arguments, statuses=(0,)):
    result = subprocess.run(
        [PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    assert result.returncode in statuses, f"{arguments} ended with {result.returncode}: {result.stderr[-2000:]}"
    return result


def variant(runs, name, base, changed):
    """A copy of a run in which some files have other bytes; None takes one away. What stays the same is linked."""
    folder = os.path.join(runs, name)
    for where, _, files in os.walk(base):
        inside = os.path.relpath(where, base)
        os.makedirs(os.path.normpath(os.path.join(folder, inside)), exist_ok=True)
        for file in files:
            path = os.path.normpath(os.path.join(inside, file))
            if path not in changed:
                os.link(os.path.join(where, file), os.path.join(folder, path))
    for path, data in changed.items():
        if data is not None:
            with open(os.path.join(folder, path), "wb") as file:
                file.write(data)
    return folder


class Batch:
    """Runs that are asked about together."""

    def __init__(self):
        self.runs = tempfile.mkdtemp(dir=FOLDER)
        self.names = []
        self.about = {}

    def add(self, base, changed, about):
        name = f"v{len(self.names)}"
        variant(self.runs, name, base, changed)
        self.names.append(name)
        self.about[name] = about

    def verified(self):
        """The problems of each run, as `foretop verify` says; and the names of those that crashed it or kept it busy."""
        problems = {name: [] for name in self.names}
        bad = []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        status = self._verify(self.names, problems)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if status not in (0, 65) or busy > HANG + USUAL * len(self.names):
            for name in self.names:
                problems[name] = []
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                status = self._verify([name], problems)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                if status not in (0, 65):
                    bad.append(f"{self.about[name]}: verify ended with {status}")
                if seconds > HANG + USUAL:
                    bad.append(f"{self.about[name]}: verify took {seconds:.1f} s of the processor")
        return problems, bad

    def _verify(self, names, problems):
        try:
            result = subprocess.run(
                [PROGRAM, "verify", "--json", "--runs", self.runs, *names], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=PATIENCE + 10 * len(names))
        except subprocess.TimeoutExpired:
            return "no answer"
        for line in result.stdout.split("\n")[:-1]:
            try:
                check = json.loads(line)
            except json.JSONDecodeError:
                return f"{result.returncode} and a line that is not JSON: {line[-200:]!r}"
            problems[check["run"]] += check["problems"]
        if not result.stdout.endswith("\n"):
            return f"{result.returncode} in the middle of a line"
        return result.returncode

    def inspected(self, name):
        """What the run holds, as every reader gets it."""
        return subprocess.run(
            [PROGRAM, "inspect", name, "--json", "--runs", self.runs], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=PATIENCE)

    def clear(self):
        shutil.rmtree(self.runs)
