"""Fits on disk, from which training that was killed goes on.

Each ended fit is a file, named by the hash of everything that decides its result. Fits
that are still in training are written from time to time, all of a stack in one file.
"""

import os
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError

from skreg.data.shared_arrays import SharedArrays
from skreg.fusion.files import RecordFile, sweep, try_to_write, write_records
from skreg.fusion.keys import hash_of, keys_of
from skreg.training.record_checks import check_arrays, check_numbers
from skreg.training.records import Record, layout, record_of_result, result_of
from skreg.training.train import needs_polish

# The ends of the names of files: of an ended fit, of the fits of a stack, of a race.
ENDED, IN_TRAINING, RACE = ".safetensors", ".training", ".race"
# The name of the notes on a race, in its file.
NOTES = "notes"

# By default, fits in training are written after a tenth of the time that their stack
# has taken so far, but after a minute at most, so that little is lost of long and of
# short training. They are not written within the first second, nor before fifty times
# the duration of the last writing has passed. So writing takes less than 2 % of the
# time, whatever the size of the networks and the speed of the disk.
SHARE, FIRST, LAST, COST = 0.1, 1.0, 60.0, 50.0


class Checkpoint:
    """A directory of fits, ended or in training.

    The key of a fit covers all that decides its result up to rounding: the request with
    the contents of its data, and the versions of skreg, scikit-learn, torch and numpy.
    It does not cover the models that train beside it nor the number of threads, which
    only change the order of sums. Files are checked by a digest, and a fit whose file
    has changed is trained anew. Any number of processes may share a directory.

    Parameters
    ----------
    directory : str or path-like
        Created with its parents by `begin` if it does not exist.
    interval : float or None, default=None
        Seconds after which fits in training are written, between two epochs. None is a
        tenth of the time so far, from a second to a minute.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skreg import MLPClassifier
    >>> from skreg.fusion.checkpoint import Checkpoint
    >>> from skreg.training.train import train
    >>> from skreg.estimators.preparation import prepare
    >>> from skreg.estimators.request import make_request
    >>> model = MLPClassifier((8,), max_iter=5)
    >>> prepared = prepare(model, *load_iris(return_X_y=True))
    >>> request = make_request(model, prepared, seed=0)
    >>> with TemporaryDirectory() as directory:
    ...     checkpoint = Checkpoint(directory)
    ...     (request,) = checkpoint.resumed([request])
    ...     checkpoint.save(request.key, *train([request]))
    ...     checkpoint.load(request.key, request).tracker.n_iter
    5
    """

    def __init__(self, directory, interval=None):
        self.given, self.directory = directory, _absolute(directory)
        self.interval, self._is_in_use, self._has_warned = interval, False, False
        self._read = {}  # the keys in files of stacks that went on, by their paths

    def begin(self):
        """Make the directory ready, and return whether it can be used.

        Raises
        ------
        ValueError
            If it cannot be used from the beginning. If it becomes unusable later, this
            is a warning, because training would be lost.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            try_to_write(self.directory)
        except (ValueError, OSError) as reason:
            if not self._is_in_use:
                raise _unusable(self.given, reason) from reason
            self._warn(f"The checkpoint {str(self.directory)!r}", reason)
            return False
        if not self._is_in_use:
            sweep(self.directory)
        self._is_in_use = True
        return True

    def resumed(self, requests):
        """Return the requests with their keys and with what is known of their fits.

        Parameters
        ----------
        requests : list of FitRequest
            The requests before they are trained.

        Returns
        -------
        list of FitRequest
        """
        requests = [
            replace(request, key=key, resume=self.load(key, request))
            for request, key in zip(requests, keys_of(requests))
        ]
        found = self._in_training(requests)
        return [replace(r, resume=found.get(r.key, r.resume)) for r in requests]

    def _in_training(self, requests):
        """Return what is known of stacks that had not ended, by the keys of fits."""
        by_key, found = {r.key: r for r in requests if r.key}, {}
        for path in self._files_in_training():
            with _ignored_if_unusable(path):
                with RecordFile(path) as file:
                    keys = by_key.keys() & set(file.keys)
                    if all(by_key[key].resume for key in keys):
                        if len(keys) == len(file.keys):  # all were saved before a kill
                            path.unlink()
                        continue
                    self._read[path] = file.keys
                    # Fits of the stack that have ended take part again, so that
                    # the others have the same companions as before.
                    for key in file.keys:
                        if key in keys:
                            record = _read(file, key, by_key[key])
                            found[key] = max(
                                record, found.get(key, record), key=_progress
                            )
        for key, record in found.items():
            found[key] = known = _known(record, by_key[key])
            if known is not record and not needs_polish(known):
                self.save(key, known)  # the file of the stack will be removed
        return found

    def _files_in_training(self):
        try:
            names = sorted(os.listdir(self.directory))
        except OSError:
            return []
        return [self.directory / name for name in names if name.endswith(IN_TRAINING)]

    def load(self, key, request):
        """Return the kept result of a request, or None if it must be trained.

        A file that cannot be used leads to a warning.

        Parameters
        ----------
        key : str or None
            The key of the request.
        request : FitRequest

        Returns
        -------
        FitResult or None
        """
        if key is None:
            return None
        path = self.directory / f"{key}{ENDED}"
        with _ignored_if_unusable(path, "Its fit is"):
            with RecordFile(path) as file:
                record = _read(file, key, request)
            if not record.has_ended:
                raise ValueError("its fit has not ended")
            return result_of(record, request)

    def save(self, key, result):
        """Keep a result, unless the fit was interrupted, halted or failed.

        Parameters
        ----------
        key : str or None
            The key of the request before training. A polish replaces the request.
        result : FitResult
        """
        tracker = result.tracker
        if key is None or result.interrupted or tracker.halted or tracker.error:
            return
        path = self.directory / f"{key}{ENDED}"
        self.write(path, {key: record_of_result(result)})

    def write(self, path, records):
        """Write records. If this fails, there is a warning, and training goes on."""
        try:
            write_records(path, records)
        except (OSError, SafetensorError) as reason:
            self._warn(f"The checkpoint {str(path)!r}", reason)

    def _warn(self, what, reason):
        # One warning is enough: a full disk stays full for the next fits.
        if not self._has_warned:
            self._has_warned = True
            text = f"{what} cannot be written ({reason})."
            warnings.warn(f"{text} Training goes on without it.", stacklevel=3)

    def of_stack(self, requests):
        """Return what writes the fits of a stack while they are trained.

        Parameters
        ----------
        requests : list of FitRequest
            With their keys.

        Returns
        -------
        StackFile or None
            None if no fit is kept.
        """
        keys = [request.key for request in requests]
        return StackFile(self, self._path_of(keys), keys) if any(keys) else None

    def end(self, requests):
        """Remove the file of a stack whose fits have ended, and were saved."""
        keys = [request.key for request in requests]
        with suppress(OSError):
            if any(keys):
                self._path_of(keys).unlink(missing_ok=True)
            # Their fits may have gone on in other stacks.
            for path, others in self._read.items():
                ended = [self.directory / f"{key}{ENDED}" for key in others]
                if all(map(os.path.exists, ended)):
                    path.unlink(missing_ok=True)

    def race(self, requests, content):
        """Return the file of networks that race, and what it holds.

        Races are found by the keys of all of their networks together, because it
        depends on the others when a network is dropped.

        Parameters
        ----------
        requests : list of FitRequest
        content : object
            What else decides the result of the race.

        Returns
        -------
        file : StackFile or None
            None if there is anything whose content cannot be compared.
        requests : list of FitRequest
            With what is known of their fits.
        notes : dict
            What was written besides, empty if there is nothing.
        """
        shared = SharedArrays()
        requests = [request.sharing(shared) for request in requests]
        keys = keys_of(requests)
        key = None if None in keys else hash_of([keys, content])
        if key is None:
            return None, requests, {}
        path, names = self.directory / f"{key}{RACE}", list(map(str, range(len(keys))))
        found, notes = {}, {}
        with _ignored_if_unusable(path):
            with RecordFile(path) as file:
                notes = file.read(NOTES, lambda numbers: {}).numbers
                for name, request in zip(names, requests):
                    if name in file.keys:
                        found[name] = _read(file, name, request)
        requests = [
            replace(request, resume=_known(found.get(name), request))
            for name, request in zip(names, requests)
        ]
        return StackFile(self, path, names), requests, notes

    def _path_of(self, keys):
        name = sha256(" ".join(sorted(filter(None, keys))).encode()).hexdigest()
        return self.directory / f"{name}{IN_TRAINING}"


class StackFile:
    """The file of the fits of a stack that are in training.

    Parameters
    ----------
    checkpoint : Checkpoint
    path : Path
    keys : list of {str, None}
        The keys of the fits. Those without a key are not kept.
    """

    def __init__(self, checkpoint, path, keys):
        self._checkpoint, self._path, self._keys = checkpoint, path, keys
        self._start = self._last = time.monotonic()
        self._cost = 0.0

    def is_due(self):
        """Return whether it is time to write the file."""
        now, interval = time.monotonic(), self._checkpoint.interval
        if interval is None:
            interval = min(max(SHARE * (now - self._start), FIRST), LAST)
            interval = max(interval, COST * self._cost)
        return now - self._last >= interval

    def save(self, records, notes=None):
        """Write the file.

        Parameters
        ----------
        records : list of {Record, None}
            In the order of the keys. None for fits that have failed.
        notes : dict, default=None
            What to write besides, in types of JSON.
        """
        start = time.monotonic()
        kept = {k: r for k, r in zip(self._keys, records) if k and r is not None}
        if notes is not None:
            kept[NOTES] = Record(notes, {})
        self._checkpoint.write(self._path, kept)
        self._last = time.monotonic()
        self._cost = self._last - start


def _absolute(directory):
    try:
        # None is an error. "" would be the current directory, which may change.
        return Path(directory or None).expanduser().absolute()
    except (TypeError, ValueError, RuntimeError) as reason:
        raise _unusable(directory, reason) from reason


def _unusable(directory, reason):
    return ValueError(
        "checkpoint must be the path of a directory that can be created and written "
        f"to, got {directory!r} ({reason})."
    )


class _ignored_if_unusable(suppress):
    """Warn of a file that raises an error when it is read, unless there is no file."""

    def __init__(self, path, what="Its fits are"):
        super().__init__(Exception)
        self._path, self._what = path, what

    def __exit__(self, kind, reason, trace):
        is_there = not isinstance(reason, FileNotFoundError)
        if isinstance(reason, Exception) and is_there:  # a file may hold anything
            text = f"The checkpoint {str(self._path)!r} cannot be used ({reason})."
            warnings.warn(f"{text} {self._what} trained anew.", stacklevel=3)
        return super().__exit__(kind, reason, trace)


def _read(file, key, request):
    """Return the record of a request in a file, or raise an error if it is invalid."""

    def checked_layout(numbers):
        check_numbers(numbers, request)
        return layout(numbers, request)

    record = file.read(key, checked_layout)
    check_arrays(record)
    return record


def _known(record, request):
    """Return a record, or the result if it is that of an ended fit."""
    has_ended = record is not None and record.has_ended
    return result_of(record, request) if has_ended else record


def _progress(record):
    return record.has_ended, record.n_iter
