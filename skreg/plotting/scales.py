"""The axis of a hyperparameter: where its values are, and how they are labelled."""

from dataclasses import dataclass

import numpy as np

from skreg.parameters.values import is_number, is_off
from skreg.plotting.spread import spread

# A hyperparameter that spans more than this has a logarithmic axis.
DECADES_OF_LOG = 1.5


@dataclass
class Scale:
    """Positions of the values of a hyperparameter on its axis.

    Parameters
    ----------
    x : ndarray of shape (n_candidates,)
        The positions, nan for values that are not drawn.
    is_log : bool, default=False
    ticks : tuple of float, default=()
        Empty for the ticks that matplotlib chooses.
    labels : tuple of str, default=()
    separator : float or None, default=None
        Where a line separates the values that are off from the others.
    """

    x: np.ndarray
    is_log: bool = False
    ticks: tuple = ()
    labels: tuple = ()
    separator: float | None = None

    @classmethod
    def of(cls, values):
        """Return the scale of the values of all candidates, which may be masked."""
        present = [value for value in values if value is not np.ma.masked]
        on = [value for value in present if not is_off(value)]
        if not on or not all(is_number(value) for value in on):
            return cls._of_categories(values)
        has_none = any(_is_none(value) for value in present)
        on = np.array(on, dtype=float)
        is_log = on.min() > 0 and np.log10(on.max() / on.min()) > DECADES_OF_LOG
        if not is_log and not has_none:
            return cls(np.array([_number(value) for value in values]))
        return cls._of_strengths(values, on, is_log)

    @classmethod
    def _of_strengths(cls, values, on, is_log):
        """Make an axis of numbers, with a place for off at the left if needed."""
        off = [
            value is not np.ma.masked and is_off(value) and (is_log or _is_none(value))
            for value in values
        ]
        x = np.array([np.nan if o else _number(v) for v, o in zip(values, off)])
        if not any(off):
            return cls(x, is_log)
        low, high = (np.nanmin(x), np.nanmax(x)) if not is_log else (on.min(), on.max())
        to, back = (np.log10, lambda u: 10.0**u) if is_log else (float, float)
        span = (to(high) - to(low)) or 1.0
        place = to(low) - 0.18 * span
        shifts = _spread_around_zero(sum(off), 0.03)
        x[off] = [back(place + shift * span) for shift in shifts]
        inner = _ticks_between(low, high, is_log)
        return cls(
            x,
            is_log,
            (back(place), *inner),
            ("off", *_tick_labels(inner, is_log)),
            back(to(low) - 0.09 * span),
        )

    @classmethod
    def _of_categories(cls, values):
        """Make an axis of words, with the candidates of each side by side."""
        present = [value for value in values if value is not np.ma.masked]
        try:
            present = sorted(present)
        except TypeError:  # values without an order stay in that of the candidates
            pass
        order = list(dict.fromkeys(map(str, present)))
        x = np.full(len(values), np.nan)
        for position, name in enumerate(order):
            same = np.flatnonzero(
                [value is not np.ma.masked and str(value) == name for value in values]
            )
            x[same] = position + _spread_around_zero(len(same), 0.15)
        return cls(x, False, tuple(range(len(order))), tuple(order))

    def set_up(self, ax):
        """Set the scale and the ticks of the axis."""
        if self.is_log:
            ax.set_xscale("log")
        if self.ticks:
            ax.set_xticks(self.ticks, self.labels)
            ax.minorticks_off()
        if self.separator is not None:
            ax.axvline(self.separator, color="0.8", linewidth=1)
        elif self.labels:
            ax.set_xlim(-0.5, len(self.labels) - 0.5)
            if sum(map(len, self.labels)) > 24:
                ax.tick_params(axis="x", rotation=30)


def _ticks_between(low, high, is_log):
    """Return a few round numbers between two limits."""
    if not is_log:
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        return [float(tick) for tick in ticks if low <= tick <= high]
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    within = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(within) < 2:
        steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
        within = [step for step in steps if low <= step <= high]
    return within[:: -(-len(within) // 3)]


def _tick_labels(ticks, is_log):
    powers = np.log10(ticks) if is_log else np.full(len(ticks), 0.5)
    if np.allclose(powers, np.round(powers)):
        return [f"$10^{{{round(power)}}}$" for power in powers]
    return [f"{tick:g}" for tick in ticks]


def _spread_around_zero(n, width):
    """Return positions from -width to width for `n` dots side by side."""
    return width * (2 * spread(n, first=1) - 1)


def _is_none(value):
    """Return whether a value is off and not a number, so has no place on the axis."""
    return is_off(value) and not is_number(value)


def _number(value):
    return np.nan if value is np.ma.masked or _is_none(value) else float(value)
