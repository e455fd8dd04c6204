"""The types of the public interface, as a user's type checker sees them.

mypy also checks this file (`make lint`). It reports types that differ from the asserted
ones, and ignored errors that do not occur.
"""

import inspect
import types
from collections.abc import Sequence
from typing import (
    Any,
    Literal,
    Union,
    assert_type,
    get_args,
    get_origin,
    get_type_hints,
)

import pytest
import torch
from _exports import exports
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier

import skreg
from skreg.comparison import Certainty, Choice, ComparisonResult
from skreg.compatibility import StrOptions
from skreg.penalties import L1, GroupLasso, MaxNorm, Penalty, Sum, check_penalty

TYPED = list(dict.fromkeys(exports()))
NETWORKS = [each for each in TYPED if hasattr(each, "_parameter_constraints")]


def iris() -> tuple[NDArray[Any], NDArray[Any]]:
    X, y = load_iris(return_X_y=True)
    return X, y


def test_types_of_a_network() -> None:
    X, y = iris()
    clf = skreg.MLPClassifier(8, l2=[1e-4, 1e-3], max_iter=2, random_state=0)
    fitted = assert_type(clf.fit(X, y), skreg.MLPClassifier)
    assert_type(clf.partial_fit(X, y, classes=[0, 1, 2]), skreg.MLPClassifier)
    assert_type(fitted.predict_proba(X), NDArray[Any])
    assert_type(fitted.estimators_, list[skreg.MLPClassifier])
    assert_type(fitted.sparsity_, float)
    with pytest.raises(ValueError, match="solver"):
        skreg.MLPClassifier(solver="adams").fit(X, y)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dropuot"):
        skreg.MLPRegressor(dropuot=0.1)  # type: ignore[call-arg]


def test_types_of_functions_keep_the_estimator() -> None:
    X, y = iris()
    clf = skreg.MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    pruned = assert_type(skreg.prune(clf, 0.5), skreg.MLPClassifier)
    assert_type(skreg.compact(pruned), skreg.MLPClassifier)
    assert_type(skreg.search_space(clf), dict[str, Any])
    with pytest.raises(ValueError, match="amount"):
        skreg.prune(clf, "half")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="network"):
        skreg.compact("clf")  # type: ignore[type-var]


def test_types_of_augmenters_and_searches() -> None:
    X, y = iris()
    shifts = skreg.ImageAugmenter(width_shift_range=1, zoom_range=[0.9, 1.1])
    assert_type(shifts.sample(X.reshape(-1, 2, 2)), NDArray[Any])
    copies = skreg.TextAugmenter(synonyms={"fine": ["good"]}, n_copies=1)
    texts, _ = copies.augment(["a fine day"])
    assert_type(texts, list[str])
    clf = skreg.MLPClassifier((8,), max_iter=2, random_state=0)
    assert_type(skreg.Augmented(clf, None).fit(X, y), skreg.Augmented)
    with pytest.raises(ValueError, match="augmenter"):
        skreg.Augmented(clf, "copies").fit(X, y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sampler"):
        skreg.BayesSearchCV(clf, {}, sampler="cma").fit(X, y)  # type: ignore[arg-type]


def test_types_of_results() -> None:
    X, y = iris()
    linear = skreg.MLPClassifier((), random_state=0)
    path = skreg.regularization_path(linear, X, y, n=2, cv=2)
    assert_type(path, skreg.RegularizationPath)
    assert_type(path.one_se_strength, float)
    named = {"linear": linear, "l2": skreg.MLPClassifier((), l2=1.0)}
    result = assert_type(skreg.compare(named, X, y, cv=2), ComparisonResult)
    assert_type(result.statistics["l2"].difference, float)
    assert_type(result.most_chosen("l2"), list[Choice])
    assert_type(result.certainties("l2"), list[Certainty])
    with skreg.fused(n_jobs=1) as nothing:
        assert_type(nothing, None)


def test_types_of_displays() -> None:
    X, y = iris()
    clf = skreg.MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    display = skreg.LearningCurvesDisplay.from_estimator(clf, ax=Figure().subplots())
    assert_type(display, skreg.LearningCurvesDisplay)
    assert_type(display.lines_[0], Line2D)
    named = {"a": DummyClassifier(), "b": DummyClassifier()}
    result = skreg.compare(named, X, y, cv=2)
    skreg.ComparisonDisplay(result).plot(Figure().subplots())
    search = skreg.MLPClassifierCV(n_candidates=2, cv=2, random_state=0).fit(X, y)
    shown = skreg.SearchDisplay.from_estimator(search)
    assert_type(shown, skreg.SearchDisplay)
    with pytest.raises(ValueError, match="must be a ComparisonResult"):
        skreg.ComparisonDisplay("result").plot()  # type: ignore[arg-type]


class HalfSquares(Penalty):
    """Half of the squared weights, as a user would write it."""

    is_smooth = is_curved = True

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        return self.times_strength(weight * weight) / 2

    def prox(self, z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return z / (1 + step * self.strength_for(z))

    def slope(self, weight: torch.Tensor) -> torch.Tensor:
        return self.strength_for(weight) * weight


def test_types_of_penalties() -> None:
    strength = torch.tensor([0.3, 1.0], dtype=torch.float64)
    W, step = torch.ones(2, 4, 3, dtype=torch.float64), torch.tensor(0.5)
    own, parts = HalfSquares(strength), [L1(strength)]
    check_penalty(own, shape=(4, 3))
    check_penalty(Sum([*parts, own]))
    assert_type(own.prox(W, step), torch.Tensor)
    assert_type(own.is_smooth, bool)
    assert_type(MaxNorm(strength).prox(W, None), torch.Tensor)
    assert_type(GroupLasso(strength, n_rows=2).n_rows, int)
    assert_type([part.off for part in (own, *parts)], list[float])
    assert_type(L1.parameter, str)
    assert_type(Sum(parts).penalties, Sequence[Penalty])
    with pytest.raises(TypeError, match=r"must be an instance of Penalty.*got <class"):
        check_penalty(L1)  # type: ignore[arg-type]


def parameters(function):
    """Return the parameters of a function without `self` or `cls`."""
    found = inspect.signature(function).parameters
    return [name for name in found if name not in ("self", "cls", "args", "kwargs")]


def public_functions(exported):
    """Yield the function itself, or the methods of a class that skreg defines."""
    if not inspect.isclass(exported):
        yield exported
        return
    if inspect.isfunction(exported.__init__):  # not that of an exception
        yield exported.__init__
    for owner in exported.__mro__:
        if owner.__module__.startswith("skreg"):
            for name, member in vars(owner).items():
                function = inner_function(member)
                if inspect.isfunction(function) and not name.startswith("_"):
                    yield function


def inner_function(member):
    """Return the function of a property, a class method or a method of `available_if`.

    These are descriptors, which hold it under different names.
    """
    for name in ("fget", "__func__", "fn"):
        member = getattr(member, name, member)
    return member


@pytest.mark.parametrize("exported", TYPED, ids=lambda each: each.__name__)
def test_every_parameter_has_a_type(exported):
    """Without one it is anything, which hides every mistake."""
    for function in public_functions(exported):
        hints = get_type_hints(function)
        assert {*parameters(function), "return"} <= set(hints), function.__qualname__


def options_of(hint):
    """Return the strings that a type lists, and whether it allows others."""
    if get_origin(hint) is Literal:
        return set(get_args(hint)), False
    is_union = get_origin(hint) in (Union, types.UnionType)
    members = get_args(hint) if is_union else ()
    found = [options_of(member) for member in members]
    names = set().union(*(options for options, _ in found))
    return names, hint is str or any(is_open for _, is_open in found)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.__name__)
def test_types_of_parameters_name_the_options_of_their_constraints(network):
    hints = get_type_hints(network.__init__)
    for name, constraints in network._parameter_constraints.items():
        if name not in parameters(network.__init__):
            continue
        allowed = set()
        for constraint in constraints:
            if isinstance(constraint, StrOptions):
                allowed |= constraint.options
        options, is_open = options_of(hints[name])
        assert is_open or options == allowed, name
