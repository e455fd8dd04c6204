"""The curve is the share of targets that are inside, and the top shows mean sizes."""

import sys

import numpy as np
import pytest
from _tuned import fitted, make, rows

from skreg import CoverageDisplay, MLPClassifierCV, MLPRegressorCV

LEVELS = [0.5, 0.7, 0.9]


class Fixed:
    """Intervals from 0 to ten times the coverage, around no matter what."""

    def predict_interval(self, X, coverage):
        high = np.broadcast_to(10 * np.asarray(coverage), (len(X), len(coverage)))
        return np.stack([np.zeros_like(high), high], axis=1)


def tops(display):
    """Return the places and the texts of the ticks along the top."""
    (top,) = display.ax_.child_axes
    display.figure_.canvas.draw()
    texts = [text.get_text() for text in top.get_xticklabels()]
    return top.get_xticks(), texts, top.get_xlabel()


def test_intervals_are_counted(plt):
    y = np.array([1.0, 6.0, 8.0, -1.0])
    figure, ax = plt.subplots()
    display = CoverageDisplay.from_estimator(
        Fixed(), np.zeros((4, 1)), y, coverage=LEVELS, ax=ax, color="C3"
    )
    assert display.ax_ is ax and display.figure_ is figure
    (line,) = display.lines_
    assert line.get_color() == "C3"
    np.testing.assert_array_equal(line.get_xdata(), LEVELS)
    np.testing.assert_array_equal(line.get_ydata(), [0.25, 0.5, 0.75])
    places, texts, label = tops(display)
    np.testing.assert_allclose(places, LEVELS)
    assert texts == ["5", "7", "9"] and label == "mean width"
    # Two standard errors of a share of four rows, at 0.5: beyond both ends.
    (band,) = ax.collections
    assert band.get_paths()[0].get_extents().bounds == (0, 0, 1, 1)
    assert ax.get_xlabel() == "nominal coverage"


def test_the_band_is_two_standard_errors_of_the_rows():
    display = CoverageDisplay([0.5], [0.5], [1.0], n_samples=400).plot()
    (band,) = display.ax_.collections
    vertices = band.get_paths()[0].vertices
    middle = vertices[np.isclose(vertices[:, 0], 0.5), 1]
    np.testing.assert_allclose(np.unique(middle.round(9)), [0.45, 0.55])


def test_weights_of_rows():
    y, weight = np.array([1.0, 6.0, 8.0, -1.0]), np.array([1.0, 0.0, 3.0, 0.0])
    display = CoverageDisplay.from_estimator(
        Fixed(), np.zeros((4, 1)), y, coverage=LEVELS, sample_weight=weight
    )
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [0.25, 0.25, 1.0])
    # Kish's number of rows: 4^2 / (1 + 9).
    assert display.n_samples == pytest.approx(1.6)


def test_intervals_of_networks():
    search, (X, y) = fitted(MLPRegressorCV), rows(MLPRegressorCV)
    display = CoverageDisplay.from_estimator(search, X, y)
    (line,) = display.lines_
    np.testing.assert_allclose(line.get_xdata(), np.arange(0.05, 0.96, 0.05))
    low, high = search.predict_interval(X, 0.75).T
    assert line.get_ydata()[14] == np.mean((low <= y) & (y <= high))
    _, texts, _ = tops(display)
    assert len(texts) == 7
    low, high = search.predict_interval(X, 0.05).T
    assert texts[0] == f"{np.mean(high - low):.3g}"


def test_each_output_has_a_curve():
    X, y = rows(MLPRegressorCV)
    both = np.column_stack([y, y[::-1]])
    search = make(MLPRegressorCV).fit(X, both)
    display = CoverageDisplay.from_estimator(search, X, both, coverage=LEVELS)
    found = search.predict_interval(X, 0.7)
    for output, line in enumerate(display.lines_):
        low, high = found[:, output].T
        share = np.mean((low <= both[:, output]) & (both[:, output] <= high))
        assert line.get_ydata()[1] == share and line.get_label() == f"output {output}"
    # Widths of outputs in different units have no mean.
    assert len(display.lines_) == 2 and not display.ax_.child_axes
    display.figure_.canvas.draw()


def test_sets_of_classes():
    X, y = rows(MLPClassifierCV)
    names = np.array(["x", "y", "z"])[y]
    search = make(MLPClassifierCV).fit(X, names)
    display = CoverageDisplay.from_estimator(search, X, names, coverage=LEVELS)
    sets = search.predict_set(X, LEVELS)
    (line,) = display.lines_
    shares = [sets[np.arange(90), y, k].mean() for k in range(3)]
    np.testing.assert_array_equal(line.get_ydata(), shares)
    _, texts, label = tops(display)
    assert label == "mean number of classes"
    assert texts == [f"{sets[..., k].sum() / 90:.3g}" for k in range(3)]
    # A class that is in no set is missed.
    display = CoverageDisplay.from_estimator(search, X, names.astype("U9"))
    other = CoverageDisplay.from_estimator(search, X, np.full(90, "none"))
    assert not other.lines_[0].get_ydata().any()
    assert display.lines_[0].get_ydata().any()


@pytest.mark.parametrize("coverage", [0.9, [0.9]])
def test_a_single_coverage(coverage):
    display = CoverageDisplay.from_estimator(
        Fixed(), np.zeros((2, 1)), np.array([1.0, 10.0]), coverage=coverage
    )
    assert display.lines_[0].get_xydata().tolist() == [[0.9, 0.5]]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: CoverageDisplay([0.5], [0.5, 0.6], [1.0], n_samples=9), "a row for"),
        (lambda: CoverageDisplay([0.5], [0.5], 1.0, n_samples=9), "a row for each"),
        (lambda: CoverageDisplay([5], [0.5], [1.0], n_samples=9), "between 0 and 1"),
    ],
)
def test_parts_that_do_not_fit(make, match):
    with pytest.raises(ValueError, match=match):
        make().plot()


def test_without_matplotlib_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        CoverageDisplay.from_estimator(None, None, None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        CoverageDisplay(None, None, None, n_samples=1).plot()
