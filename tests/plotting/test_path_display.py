"""The lines are the weights of the inputs at each strength of the penalty."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from skreg import MLPRegressor, RegularizationPathDisplay, regularization_path

X, Y = (scale(each) for each in load_diabetes(return_X_y=True))


def test_the_display_draws_the_weights(plt):
    path = regularization_path(MLPRegressor(()), X, Y, n=12, cv=2)
    figure, ax = plt.subplots()
    display = RegularizationPathDisplay(path).plot(ax, linewidth=3)
    assert display.ax_ is ax and display.figure_ is figure and len(display.lines_) == 10
    for feature, line in enumerate(display.lines_):
        np.testing.assert_array_equal(line.get_xdata(), path.strengths)
        np.testing.assert_array_equal(line.get_ydata(), path.coefs[:, feature, 0])
        assert line.get_label() == str(feature) and line.get_linewidth() == 3
    (vertical,) = [line for line in ax.lines if line not in display.lines_]
    assert list(vertical.get_xdata()) == [path.best_strength] * 2
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "l1"


def test_the_display_of_an_estimator_with_several_outputs():
    frame = pd.DataFrame(X).add_prefix("x")
    targets = scale(np.column_stack([Y, Y + 2 * X[:, 0], Y - X[:, 1]]))
    display = RegularizationPathDisplay.from_estimator(
        MLPRegressor(()),
        frame,
        targets,
        penalty="group_l1",
        strengths=[0, 0.1, 0.5],
        cv=2,
    )
    assert [line.get_label() for line in display.lines_] == frame.columns.tolist()
    lines = np.array([line.get_ydata() for line in display.lines_])
    np.testing.assert_array_equal(lines.T, np.linalg.norm(display.path.coefs, axis=2))
    assert display.ax_.get_xscale() == "symlog" and "norm" in display.ax_.get_ylabel()
    display.figure_.canvas.draw()


def test_without_matplotlib_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        RegularizationPathDisplay.from_estimator(MLPRegressor(()), X, Y)
    with pytest.raises(ImportError, match="requires matplotlib"):
        RegularizationPathDisplay(None).plot()
