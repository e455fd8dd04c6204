"""What a class determines about its parameters is kept for this class only."""

import gc
import weakref
from inspect import signature

import numpy as np
import pytest
from _estimators import CONVOLUTIONAL, ESTIMATORS, data
from sklearn.base import clone

from skreg import MLPClassifier, MLPRegressor
from skreg.compatibility import (
    Interval,
    RealNotInt,
    check_constraints,
    validate_parameter_constraints,
)

KINDS = [*ESTIMATORS, *CONVOLUTIONAL]
INSIDE = Interval(RealNotInt, 0, 1, closed="neither")
# Of each type that a parameter may have, and outside of most intervals.
ODD = [None, True, 0, -1, 2.5, np.nan, "odd", (), [1], {}, object(), np.float64(0)]


def narrowed(name, *constraints):
    """Return the constraints of classifiers, with others of one parameter."""
    return MLPClassifier._parameter_constraints | {name: list(constraints)}


def check_all(estimator):
    """Check all parameters, as scikit-learn does."""
    validate_parameter_constraints(
        estimator._parameter_constraints,
        estimator.get_params(),
        type(estimator).__name__,
    )


def message_of(check, estimator):
    """Return the message of the error that a check raises, or None."""
    try:
        check(estimator)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_those_of_the_signature(kind):
    names = sorted(set(signature(kind.__init__).parameters) - {"self"})
    for _ in range(2):
        found = kind().get_params()
        assert list(found) == names
        found.clear()


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_checked_like_those_of_any_estimator(kind):
    assert message_of(check_constraints, kind()) is None
    for name in signature(kind).parameters:
        for value in ODD:
            estimator = kind(**{name: value})
            expected = message_of(check_all, estimator)
            assert message_of(check_constraints, estimator) == expected


def test_a_subclass_has_its_own_parameters():
    class Named(MLPClassifier):
        def __init__(self, name="any", l1=0.5):
            super().__init__(l1=l1)
            self.name = name

    assert MLPClassifier().get_params()["l1"] == 0
    assert Named().get_params() == {"l1": 0.5, "name": "any"}
    copied = clone(Named("other")).set_params(l1=0.1)
    assert copied.get_params() == {"l1": 0.1, "name": "other"}
    with pytest.raises(ValueError, match="Invalid parameter 'l2'"):
        copied.set_params(l2=1.0)
    assert "name" not in MLPClassifier().get_params()


def test_a_subclass_without_init_has_the_parameters_of_its_base():
    class Same(MLPRegressor):
        pass

    assert Same(l1=1.0).get_params() == MLPRegressor(l1=1.0).get_params()
    assert clone(Same(l2=2.0)).l2 == 2.0


def test_a_subclass_may_choose_its_names():
    class Fewer(MLPClassifier):
        @classmethod
        def _get_param_names(cls):
            return [name for name in super()._get_param_names() if name < "b"]

    assert set(Fewer().get_params()) < set(MLPClassifier().get_params())
    assert all(name < "b" for name in Fewer().get_params())


def test_a_subclass_may_change_constraints():
    class Sparse(MLPClassifier):
        _parameter_constraints = narrowed("l1", INSIDE)

    check_constraints(MLPClassifier())
    check_constraints(Sparse(l1=0.5))
    for estimator in Sparse(), Sparse(l1=0.0), Sparse(l1=2.0):
        with pytest.raises(ValueError, match=r"'l1' parameter of Sparse must be"):
            check_constraints(estimator)


def test_constraints_and_init_may_change_later():
    class Changing(MLPClassifier):
        pass

    estimator = Changing()
    check_constraints(estimator)
    Changing._parameter_constraints = narrowed("l1", None)
    with pytest.raises(ValueError, match="'l1' parameter of Changing must be None"):
        check_constraints(estimator)
    Changing._parameter_constraints["l1"] = [float, int]
    check_constraints(estimator)
    estimator._parameter_constraints = narrowed("l2", None)
    with pytest.raises(ValueError, match="'l2' parameter of Changing must be None"):
        check_constraints(estimator)

    def init(self, l1="none"):
        MLPClassifier.__init__(self, l1=l1)

    Changing.__init__ = init
    assert Changing().get_params() == {"l1": "none"}
    with pytest.raises(ValueError, match="'l1' parameter of Changing must be"):
        check_constraints(Changing())


def test_a_class_is_read_once(monkeypatch):
    def read(*args):
        raise AssertionError("it is known")

    X, y = data(MLPClassifier)
    network = MLPClassifier((2,), max_iter=1).fit(X, y)
    monkeypatch.setattr("inspect.signature", read)
    monkeypatch.setattr("skreg.compatibility.signature", read)
    clone(network).set_params(activation="tanh").fit(X, y)


def test_only_what_was_set_is_checked(monkeypatch):
    checked, check = [], validate_parameter_constraints

    def noted(constraints, params, name):
        checked.append(set(params))
        check(constraints, params, name)

    check_constraints(MLPClassifier())
    monkeypatch.setattr("skreg.compatibility.validate_parameter_constraints", noted)
    check_constraints(
        MLPClassifier(l1=0.5, l2=0.0, batchnorm=np.False_, random_state=3)
    )
    assert checked == [{"hidden_layer_sizes", "l1", "batchnorm", "random_state"}]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_are_freed():
    class Passing(MLPClassifier):
        pass

    Passing((), max_iter=1).fit(*data(Passing)).get_params()
    reference = weakref.ref(Passing)
    del Passing
    gc.collect()
    assert reference() is None
