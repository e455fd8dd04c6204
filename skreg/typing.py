"""Types of the public interface, as its docstrings name them.

scikit-learn, scipy and joblib come without types, so a type checker accepts anything in
place of their classes. With the types of this module it can at least tell arrays from
estimators and numbers from names.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Only type checkers import these optional packages.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.lines import Line2D
    from pandas import DataFrame
else:
    Axes = ErrorbarContainer = Line2D = DataFrame = Any

__all__ = [
    "ArrayLike",
    "Axes",
    "Bounds",
    "CategoricalFeatures",
    "ClassWeight",
    "CopyAugmenter",
    "CrossValidation",
    "DataFrame",
    "ErrorbarContainer",
    "Estimator",
    "FeatureGroups",
    "FeaturePenalties",
    "Line2D",
    "MatrixLike",
    "MultimetricScoring",
    "NDArray",
    "OptunaSampler",
    "PerLayer",
    "RandomState",
    "Scoring",
    "Sizes",
    "SomeEstimator",
]


class SparseMatrix(Protocol):
    """A matrix or an array of scipy.sparse."""

    def tocsr(self) -> Any:
        """Return it in compressed sparse row format."""


class Estimator(Protocol):
    """An estimator of scikit-learn, skreg or another package."""

    def get_params(self, deep: bool = ...) -> dict[str, Any]:
        """Return the parameters."""

    def set_params(self, **params: Any) -> Any:
        """Change parameters."""


class CopyAugmenter(Protocol):
    """An augmenter that adds copies of the rows, such as `TextAugmenter`."""

    def augment(self, X: Any, /) -> tuple[Any, ArrayLike]:
        """Return all rows to train on, and the index of the original of each."""


class OptunaSampler(Protocol):
    """A sampler of Optuna."""

    def sample_relative(self, study: Any, trial: Any, search_space: Any, /) -> Any:
        """Return values of the parameters that are sampled jointly."""

    def sample_independent(
        self, study: Any, trial: Any, name: Any, distribution: Any, /
    ) -> Any:
        """Return the value of one parameter."""


class Splitter(Protocol):
    """A cross-validation generator."""

    def split(self, X: Any, y: Any = ..., groups: Any = ...) -> Iterable[Any]:
        """Yield the rows to train and to test with."""

    def get_n_splits(self, *args: Any, **kwargs: Any) -> int:
        """Return the number of splits."""


# For functions that return an estimator of the kind that they are given.
SomeEstimator = TypeVar("SomeEstimator", bound=Estimator)

# "{array-like, sparse matrix}": dataframes are array-like, too.
MatrixLike = ArrayLike | SparseMatrix
# "float or array-like of shape (n_layers,)", and the same for numbers of units.
PerLayer = float | Sequence[float] | NDArray[Any]
Sizes = int | Sequence[int] | NDArray[Any]
# "[lower, upper]"
Bounds = Sequence[float] | NDArray[Any]

# A label for each feature, or lists of indices or names.
CategoricalFeatures = Literal["from_dtype"] | ArrayLike | None
FeatureGroups = ArrayLike | Sequence[Collection[int | str]] | None
# A number for each feature, or numbers by index or name.
FeaturePenalties = ArrayLike | Mapping[int, float] | Mapping[str, float] | None
ClassWeight = (
    Mapping[Any, float] | Sequence[Mapping[Any, float]] | Literal["balanced"] | None
)
CrossValidation = int | Splitter | Iterable[Any] | None
RandomState = int | np.random.RandomState | None
Scoring = str | Callable[..., float] | None
# What scikit-learn's searches take in addition to it.
MultimetricScoring = (
    Sequence[str]
    | Set[str]
    | Mapping[str, str | Callable[..., float]]
    | Callable[..., Mapping[str, float]]
)
