"""The dots are the differences on the splits, and the bars are their intervals."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge

from skreg import ComparisonDisplay, compare


def test_a_comparison_is_drawn(plt):
    models = {"mean": DummyRegressor(), "ridge": Ridge(), "weak": Ridge(1e-6)}
    result = compare(
        models, *load_diabetes(return_X_y=True), confidence_level=0.9, random_state=0
    )
    figure, ax = plt.subplots()
    display = ComparisonDisplay.from_result(result, ax=ax, color="C4")
    assert display.ax_ is ax and display.figure_ is figure
    for row, name in enumerate(("ridge", "weak")):
        dots = display.lines_[row].get_xydata()
        np.testing.assert_array_equal(
            dots[:, 0], result.scores[name] - result.scores["mean"]
        )
        assert (np.abs(dots[:, 1] - row) < 0.5).all()
        values = result.statistics[name]
        mean, _, (interval,) = display.errorbars_[row].lines
        assert mean.get_xdata().tolist() == [values.difference]
        ((start, end),) = interval.get_segments()
        np.testing.assert_allclose(
            [start[0], end[0]], [values.ci_low, values.ci_high], rtol=1e-12
        )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ridge", "weak"]
    assert any(list(line.get_xdata()) == [0.0, 0.0] for line in ax.lines)
    assert ax.get_xlabel() == "r2, difference from mean"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["each split", "mean and 90 % interval"]
    assert display.lines_[0].get_color() == "C4"
    display.figure_.canvas.draw()


def test_without_matplotlib_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        ComparisonDisplay.from_result(None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        ComparisonDisplay(None).plot()
