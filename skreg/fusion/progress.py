"""A progress bar for the training of many networks."""

import sys
import time

# Least number of seconds between two lines, if there is no bar.
PAUSE = 5.0


class Progress:
    """A bar of the epochs of all models, with the number of models that still train.

    Without the package rich, lines are printed instead of a bar.

    Parameters
    ----------
    stacks : list of list of FitRequest
        The stacks that will train.
    shown : bool
        Whether to show the bar.
    """

    def __init__(self, stacks, shown):
        self._total = sum(map(_epochs, stacks))
        self._models = sum(map(len, stacks))
        self._done, self._view = 0, None
        self._shown = shown and self._models > 0

    def __enter__(self):
        if self._shown:
            self._view = _make_view(self._total, self._models)
        return self

    def __exit__(self, *error):
        if self._view is not None:
            self._view.close()

    def watch(self, requests):
        """Return a function to call after each epoch of a stack.

        Parameters
        ----------
        requests : list of FitRequest
            The models of the stack.

        Returns
        -------
        callable or None
            Called with the number of models that had the epoch. None without a bar.
        """
        if self._view is None:
            return None
        waiting, epochs = self._models - len(requests), 0

        def after_epoch(n_models):
            nonlocal epochs
            epochs += n_models
            # A polish has iterations beyond the planned epochs.
            done = min(epochs, _epochs(requests))
            self._view.update(self._done + done, waiting + n_models)

        return after_epoch

    def finish(self, requests):
        """Count a stack as done, however many epochs it took.

        Parameters
        ----------
        requests : list of FitRequest
            The models of the stack.
        """
        self._done += _epochs(requests)
        self._models -= len(requests)
        if self._view is not None:
            self._view.update(self._done, self._models)


def _epochs(requests):
    return sum(request.max_iter for request in requests)


def _make_view(total, models):
    """Return a bar, lines without the package rich, or None if there is another bar."""
    try:
        from rich.errors import LiveError

        return _Bar(total, models)
    except ImportError:
        return _Lines(total)
    except LiveError:  # rich shows one bar at a time
        return None


class _Bar:
    """A progress bar by rich, on standard error."""

    def __init__(self, total, models):
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.fields[training]} networks training"),
            progress.BarColumn(),
            progress.TextColumn("{task.completed}/{task.total} epochs"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=total, training=models)

    def update(self, done, training):
        self._bar.update(self._task, completed=done, training=training)

    def close(self):
        self._bar.stop()


class _Lines:
    """Lines on standard error: at most one every few seconds, and one at the end."""

    def __init__(self, total):
        self._total, self._last = total, time.monotonic()

    def update(self, done, training):
        if done == self._total or time.monotonic() - self._last > PAUSE:
            self._last = time.monotonic()
            print(
                f"{training} networks training, {done}/{self._total} epochs",
                file=sys.stderr,
                flush=True,
            )

    def close(self):
        pass
