"""Files of records: arrays in the safetensors format, and all else as JSON in it.

Reading a file executes no code, and a file may hold anything: it must be a regular
file, and sizes and types are compared with those expected before an array is read.
"""

import json
import math
import os
import re
import stat
import uuid
from contextlib import suppress
from hashlib import sha256

import numpy as np
from safetensors.numpy import save

from skreg.training.record_checks import require
from skreg.training.records import Record

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# The largest header that the safetensors format allows, in bytes.
LARGEST_HEADER = 100_000_000
# The names of the types of arrays in the format.
TYPES = {"float64": "F64", "float32": "F32"}
# The names of files that are being written.
PART = re.compile(r"[0-9a-f]{32}\.part")
# Opening a pipe would wait for its writer. Windows changes the ends of lines in text.
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def write_records(path, records):
    """Write records into a file, which appears when it is complete.

    Arrays of the same name, shape and type are stored as one array.

    Parameters
    ----------
    path : Path
    records : dict of {str: Record}
    """
    groups, arrays, entries = {}, {}, {}
    for key, record in records.items():
        kinds = [(name, a.shape, a.dtype.str) for name, a in record.arrays.items()]
        groups.setdefault(tuple(kinds), []).append(key)
    for number, keys in enumerate(groups.values()):
        for name in records[keys[0]].arrays:
            rows = [records[key].arrays[name] for key in keys]
            # The format stores the memory of arrays as it is.
            arrays[f"{number}.{name}"] = np.ascontiguousarray(np.stack(rows))
        for row, key in enumerate(keys):
            # JSON keeps all bits of numbers, nan and inf included.
            text = json.dumps(records[key].numbers)
            digest = _digest(key, text, records[key].arrays)
            entries[key] = {"at": [number, row], "numbers": text, "digest": digest}
    _write(path, save(arrays, {"records": json.dumps(entries)}))


def _digest(key, text, arrays):
    """Return a digest that shows whether a record belongs to a key and is unchanged."""
    digest = sha256(f"{key}{text}".encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()


def _write(path, content):
    """Write a file under another name, and then give it its own."""
    part, file = _new_part(path.parent)
    try:
        with file:
            file.write(content)
            file.flush()
            if fcntl is None:  # Windows does not rename open files
                file.close()
            os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _new_part(directory):
    """Return the path of a new file, and the file, which is locked while it is open."""
    while True:
        # No other process writes it, and it is in the file system of the final file.
        part = directory / f"{uuid.uuid4().hex}.part"
        file = open(part, "xb")
        with suppress(OSError):  # of a file system without locks
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return part, file
        file.close()  # another process has swept it before it was locked


def try_to_write(directory):
    """Write a file and remove it. The access bits are not a reliable test."""
    part = directory / f"{uuid.uuid4().hex}.part"
    part.touch(exist_ok=False)
    part.unlink(missing_ok=True)


def sweep(directory):
    """Remove the unfinished files of processes that were killed.

    Files that a process is writing are locked. Where there are no locks, nothing is
    removed.
    """
    for path in directory.glob("*.part") if fcntl is not None else ():
        with suppress(OSError, ValueError):
            if PART.fullmatch(path.name):
                with _opened(path) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


def _opened(path):
    """Open a regular file for reading."""
    number = os.open(path, FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ValueError("it is not a regular file")
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


class RecordFile:
    """A file of records that is open for reading, as a context manager.

    The file is not mapped into memory, because a mapped file that shrinks would kill
    the process.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    keys : list of str
        The keys of the records.

    Raises
    ------
    Exception
        If it is not a file of records. Of any class, as the file may hold anything.
    """

    def __init__(self, path):
        self._file = _opened(path)
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def _read_header(self):
        """Read and check the header, which is JSON after 8 bytes with its length."""
        size = os.fstat(self._file.fileno()).st_size
        length = int.from_bytes(self._file.read(8), "little")
        require(length <= min(size - 8, LARGEST_HEADER), "its header is too long")
        self._start = 8 + length
        header = json.loads(self._file.read(length))
        metadata = header.pop("__metadata__", {})
        self._entries = json.loads(metadata.get("records", "{}"))
        self._arrays, ends = {}, [0]
        for name, about in header.items():
            first, last = about["data_offsets"]
            require(type(first) is type(last) is int, "an offset is no integer")
            require(0 <= first <= last, "its arrays have no place")
            group, _, own = name.partition(".")
            of_group = self._arrays.setdefault(group, {})
            of_group[own] = about["dtype"], about["shape"], first, last
            ends.append(last)
        require(self._start + max(ends) == size, "it is not as long as its header says")
        self.keys = list(self._entries)

    def read(self, key, layout):
        """Return a record, or raise an error if it is invalid.

        Parameters
        ----------
        key : str
        layout : callable
            Takes the numbers of the record. Checks them, and returns a shape and a
            dtype for each name of an array.

        Returns
        -------
        Record
        """
        require(key in self._entries, "it belongs to another fit")
        entry = self._entries[key]
        group, row = entry["at"]
        numbers = json.loads(entry["numbers"])
        expected, found = layout(numbers), self._arrays.get(f"{group}", {})
        require(expected.keys() == found.keys(), "its arrays do not fit this network")
        arrays = {
            name: self._row(found[name], row, *kind) for name, kind in expected.items()
        }
        digest = _digest(key, entry["numbers"], arrays)
        require(entry["digest"] == digest, "it was changed, or belongs to another fit")
        return Record(numbers, arrays)

    def _row(self, about, row, shape, dtype):
        """Return a row of a stored array, after comparing its size with the shape."""
        (name, found, first, last), n_bytes = about, math.prod(shape) * dtype.itemsize
        n_rows = found[0] if found and type(found[0]) is int else 0
        require(type(row) is int and 0 <= row < n_rows, "it has no such row")
        fits = name == TYPES[dtype.name] and found[1:] == list(shape)
        fits = fits and last - first == n_rows * n_bytes
        require(fits, "its arrays do not fit this network")
        self._file.seek(self._start + first + row * n_bytes)
        content = self._file.read(n_bytes)
        require(len(content) == n_bytes, "it ends too early")
        stored = np.frombuffer(content, dtype.newbyteorder("<"))
        # A copy owns its memory, like the arrays that come from training.
        return stored.reshape(shape).astype(dtype, copy=True)
