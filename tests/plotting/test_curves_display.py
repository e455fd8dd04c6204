"""The curves are the losses of the fitted networks, and the mark is the best epoch."""

import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    LearningCurvesDisplay,
    MLPClassifier,
    MLPClassifierCV,
    MLPRegressorCV,
)

X, Y = load_iris(return_X_y=True)
# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def network(**options):
    options = {"max_iter": 6, "random_state": 0} | options
    return MLPClassifier((4,), **options)


def test_curves_are_the_losses(plt):
    model = network(early_stopping=True, learning_rate_init=0.3, max_iter=60).fit(X, Y)
    figure, ax = plt.subplots()
    display = LearningCurvesDisplay.from_estimator(model, ax=ax, linewidth=3)
    assert display.ax_ is ax and display.figure_ is figure
    training, validation = display.lines_
    epochs = np.arange(1, model.n_iter_ + 1)
    np.testing.assert_array_equal(
        training.get_xydata(), np.column_stack([epochs, model.loss_curve_])
    )
    np.testing.assert_array_equal(
        validation.get_xydata(), np.column_stack([epochs, model.validation_loss_curve_])
    )
    (best,) = display.best_lines_
    at_best = model.validation_loss_curve_[model.best_iter_ - 1]
    assert best.get_xydata().tolist() == [[model.best_iter_, at_best]]
    assert 1 < model.best_iter_ < model.n_iter_
    assert training.get_linewidth() == 3
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    best_text = f"best epoch, {model.best_iter_}"
    assert texts == ["training objective", "validation loss", best_text]


def test_without_validation_rows_the_training_curve_has_the_mark():
    model = network().fit(X, Y)
    display = LearningCurvesDisplay.from_estimator(model)
    (line,) = display.lines_
    assert line.get_ydata().tolist() == model.loss_curve_
    (best,) = display.best_lines_
    assert best.get_xydata().tolist() == [[6, min(model.loss_curve_)]]


def test_the_mark_is_on_the_curve_that_decided():
    """Validation rows without early stopping give a curve and decide nothing."""
    model = network(max_iter=30, learning_rate_init=0.3)
    model.fit(X[::2], Y[::2], X_val=X[1::2], y_val=Y[1::2])
    display = LearningCurvesDisplay.from_estimator(model)
    assert len(display.lines_) == 2
    best = model.best_iter_
    expected = [[best, model.loss_curve_[best - 1]]]
    assert display.best_lines_[0].get_xydata().tolist() == expected
    assert model.loss_curve_[best - 1] == min(model.loss_curve_)


@pytest.mark.parametrize("as_dict", [True, False])
def test_curves_of_several(as_dict):
    models = [network(l2=l2, early_stopping=l2 == 0).fit(X, Y) for l2 in (0.0, 0.1)]
    given = dict(zip("ab", models)) if as_dict else models
    display = LearningCurvesDisplay.from_estimator(given)
    expected = [
        models[0].loss_curve_,
        models[0].validation_loss_curve_,
        models[1].loss_curve_,
    ]
    assert [line.get_ydata().tolist() for line in display.lines_] == expected
    first, second = "ab" if as_dict else "01"
    labels = [line.get_label() for line in display.lines_]
    assert labels == [
        f"{first} training objective",
        f"{first} validation loss",
        f"{second} training objective",
    ]
    colors = [line.get_color() for line in display.lines_]
    assert colors[0] == colors[1] != colors[2]


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([3.0, 0.5, 0.2], "log"), ([3.0, 2.0, 0.9], "linear"), ([3.0, -0.1], "linear")],
)
def test_the_axis_is_logarithmic_where_that_helps(losses, scale):
    display = LearningCurvesDisplay({"": losses}).plot()
    assert display.ax_.get_yscale() == scale
    display.figure_.canvas.draw()


def test_curves_of_what_holds_a_network():
    pipeline = make_pipeline(StandardScaler(), network())
    search = GridSearchCV(pipeline, {"mlpclassifier__l2": [0.0, 0.1]}, cv=2)
    pipeline = clone(pipeline).fit(X, Y)
    search.fit(X, Y)
    for whole, inner in [
        (pipeline, pipeline[-1]),
        (search, search.best_estimator_[-1]),
    ]:
        (line,) = LearningCurvesDisplay.from_estimator(whole).lines_
        assert line.get_ydata().tolist() == inner.loss_curve_


@pytest.mark.parametrize("kind", [MLPClassifierCV, MLPRegressorCV])
@pytest.mark.parametrize("refit", ["folds", True])
def test_curves_of_an_estimator_that_tunes_itself(kind, refit):
    options = {"n_candidates": 3, "cv": 2, "n_ensemble": 1, "random_state": 0}
    search = kind(refit=refit, **options).fit(X, Y)
    for each in (search, make_pipeline(StandardScaler(), clone(search)).fit(X, Y)):
        display = LearningCurvesDisplay.from_estimator(each)
        own = getattr(each, "steps", [(None, each)])[-1][1]
        assert len(own.estimators_) == (2 if refit == "folds" else 1)
        expected = []
        for network in own.estimators_:
            expected += [network.loss_curve_, network.validation_loss_curve_ or []]
        lines = [line.get_ydata().tolist() for line in display.lines_]
        assert lines == [curve for curve in expected if curve]
        if refit == "folds":
            assert lines[1::2] == own.curves_[own.best_index_]
            labels = [line.get_label() for line in display.lines_]
            assert labels[0] == "fold 1 training objective"
            assert labels[3] == "fold 2 validation loss"
    both = LearningCurvesDisplay.from_estimator({"a": search, "b": search})
    assert both.lines_[0].get_label().startswith("a ")


def test_an_estimator_that_keeps_no_networks_has_no_curves():
    search = MLPClassifierCV(n_candidates=2, cv=2, refit=False).fit(X, Y)
    with pytest.raises(ValueError, match=r"refit=False keeps none\. Set refit='folds'"):
        LearningCurvesDisplay.from_estimator(search)
    with pytest.raises(NotFittedError):
        LearningCurvesDisplay.from_estimator(MLPClassifierCV())


def test_what_has_no_curves():
    with pytest.raises(NotFittedError):
        LearningCurvesDisplay.from_estimator(network())
    with pytest.raises(ValueError, match="must be a network with a loss_curve_"):
        LearningCurvesDisplay.from_estimator(Ridge().fit(X, Y))


def test_without_matplotlib_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        LearningCurvesDisplay.from_estimator(network())
    with pytest.raises(ImportError, match="requires matplotlib"):
        LearningCurvesDisplay({"": [1.0]}).plot()
