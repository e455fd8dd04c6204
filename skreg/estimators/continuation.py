"""What a call of `fit` or `partial_fit` takes over from earlier calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from skreg.estimators.fits import Fit
from skreg.estimators.layout import Layout
from skreg.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Continuation:
    """The fit that a call continues, if there is one.

    Parameters
    ----------
    is_step : bool, default=False
        Whether the call is one of partial_fit. It trains for one epoch and does not
        know how many calls will follow.
    classes : array-like, default=None
        All classes, for the first call of partial_fit.
    layout : Layout or None, default=None
        The layout of the fit to continue. None starts a new fit.
    fits : sequence of Fit, default=()
        The networks to continue.
    """

    is_step: bool = False
    classes: ArrayLike | None = None
    layout: Layout | None = None
    fits: Sequence[Fit] = ()

    def fit_before(self, number):
        """Return the fit of a network to continue, or None if the network is new."""
        return self.fits[number] if number < len(self.fits) else None


NEW = Continuation()
