"""Behaviour with versions of scikit-learn that lack newer features."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer, mean_squared_error
from sklearn.utils import compute_class_weight

from skreg import MLPRegressor, compatibility


@pytest.fixture
def before_callbacks(monkeypatch):
    """Return the module as with scikit-learn 1.7, whichever version is installed."""
    monkeypatch.setattr(sklearn, "__version__", "1.7.2")
    spec = importlib.util.find_spec("skreg.compatibility")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_minor_version():
    assert sklearn.__version__.startswith("{}.{}".format(*compatibility.SKLEARN))


def test_callbacks_are_there_from_1_9_on(before_callbacks):
    assert hasattr(MLPRegressor(), "set_callbacks") == (compatibility.SKLEARN >= (1, 9))
    assert not hasattr(before_callbacks.CallbackSupportMixin, "set_callbacks")


def test_a_fit_without_callbacks(before_callbacks):
    class Estimator(before_callbacks.CallbackSupportMixin, BaseEstimator):
        pass

    context = Estimator()._init_callback_context(max_subtasks=3)
    context.max_subtasks = None
    context.call_on_fit_task_begin(estimator=None)
    epoch = context.subcontext(task_name="epoch").call_on_fit_task_begin(X=None)
    assert epoch.call_on_fit_task_end(X=None) is False


def test_attributes_of_callbacks():
    """All that scikit-learn sets, and none of skreg's own."""
    network = MLPRegressor(callbacks=[])
    assert not compatibility.has_callbacks(network)
    assert compatibility.callback_attributes(network) == {}
    if compatibility.SKLEARN >= (1, 9):
        before = set(vars(network))
        hooks = ("setup", "teardown", "on_fit_task_begin", "on_fit_task_end")
        callback = SimpleNamespace(**dict.fromkeys(hooks, lambda **about: None))
        network.set_callbacks(callback)._init_callback_context(max_subtasks=1)
        found = compatibility.callback_attributes(network)
        assert compatibility.has_callbacks(network)
        assert set(found) == set(vars(network)) - before


def test_metric_of_a_scorer():
    scorer = make_scorer(mean_squared_error, greater_is_better=False)
    assert compatibility.metric_of(scorer) is mean_squared_error
    assert compatibility.metric_of(mean_squared_error) is mean_squared_error


def test_a_search_without_callbacks(before_callbacks):
    search = SimpleNamespace(_checked_cv_orig="folds")

    def evaluate_candidates(candidates, cv):
        return candidates, cv

    evaluate, context = before_callbacks.run_search_arguments(
        search, evaluate_candidates, None
    )
    assert evaluate("ab", callback_ctx=context.subcontext()) == ("ab", "folds")


def test_a_search_with_callbacks():
    given = (object(), object())
    assert compatibility.run_search_arguments(None, *given) == given


def test_balanced_classes_with_weights(monkeypatch):
    """Against the weights of rows that are there as often as they weigh."""
    y, weight = np.array(["a", "c", "c", "a", "b"]), np.array([1, 2, 3, 1, 4])
    classes = np.array(["a", "b", "c"])
    monkeypatch.setattr(compatibility, "SKLEARN", (1, 6))
    expected = compute_class_weight("balanced", classes=classes, y=np.repeat(y, weight))
    for sample_weight, rows in [(weight, y), (None, np.repeat(y, weight))]:
        found = compatibility.compute_class_weight(
            "balanced", classes=classes, y=rows, sample_weight=sample_weight
        )
        np.testing.assert_allclose(found, expected, rtol=1e-15)
    found = compatibility.compute_class_weight(
        {"a": 2}, classes=classes, y=y, sample_weight=weight
    )
    assert found.tolist() == [2, 1, 1]


@pytest.mark.parametrize("before", [False, True])
def test_weights_that_are_all_zero(before, before_callbacks):
    module = before_callbacks if before else compatibility
    with pytest.raises(ValueError, match="at least one non-zero number"):
        module.check_sample_weight(np.zeros(3), np.ones((3, 1)))
    with pytest.raises(ValueError, match="Negative values"):
        module.check_sample_weight([1, -1, 1], np.ones((3, 1)))
    weight = module.check_sample_weight([1, 0, 1], np.ones((3, 1)))
    assert weight.dtype == np.float64
    assert weight.tolist() == [1, 0, 1]


def test_a_ridge_by_logistic_regression(before_callbacks):
    assert before_callbacks.RIDGE_LOGISTIC_CV == {}
