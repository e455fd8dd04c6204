"""CV+ intervals and adaptive sets against their formulas, and coverage in draws."""

import numpy as np
import pytest

from skreg.model_selection.conformal import (
    HeldOutScores,
    adaptive_scores,
    check_coverage,
    held_out_rows,
    interval_scores,
    intervals,
)

# 0.55 * 20 is above 11 to a computer.
LEVELS = np.array([0.05, 0.55, 0.8, 0.9, 0.99])


def fold_matrix(groups):
    """Return which of three folds holds out each row."""
    return np.arange(3) == groups[:, None]


def ranked(values, rank):
    """Return the value of a rank, counted from 1, as in the paper."""
    values = np.sort(values)
    if rank < 1:
        return -np.inf
    return values[rank - 1] if rank <= len(values) else np.inf


def jackknife_plus(center, residual, groups, coverage):
    """Return the bounds of Barber et al. (2021), section 3, for one row."""
    n, alpha = len(residual), 1 - coverage
    shifted = center[groups]
    low = ranked(shifted - residual, int(np.floor(alpha * (n + 1) + 1e-9)))
    high = ranked(shifted + residual, int(np.ceil(coverage * (n + 1) - 1e-9)))
    return low, high


@pytest.mark.parametrize("n", [3, 19, 99])
def test_intervals_are_those_of_the_paper(n):
    rng = np.random.default_rng(n)
    groups, residual = rng.integers(3, size=n), rng.exponential(size=n)
    residual[: n // 3] = residual[0]  # ties
    centers = rng.normal(size=(3, 4, 1))
    held_out = HeldOutScores.of(residual[:, None], fold_matrix(groups))
    # Groups without rows do not exist.
    centers_of_groups = centers[np.unique(groups)[::-1]]
    found = intervals(held_out, centers_of_groups, centers_of_groups, LEVELS)
    assert found.shape == (4, 1, 2, len(LEVELS))
    for row in range(4):
        for k, level in enumerate(LEVELS):
            expected = jackknife_plus(centers[:, row, 0], residual, groups, level)
            # Halving ends within 2^-60 of the range, at about the spacing of numbers.
            np.testing.assert_allclose(
                found[row, 0, :, k], np.sort(expected), rtol=1e-13, atol=1e-14
            )


def test_a_weight_of_two_is_a_row_given_twice_besides_the_new_row():
    rng = np.random.default_rng(0)
    n = 40
    groups, residual = rng.integers(3, size=n), rng.exponential(size=n)
    weight = rng.integers(1, 4, size=n)
    centers = rng.normal(size=(3, 2, 1))[::-1]
    weighted = HeldOutScores.of(residual[:, None], fold_matrix(groups), weight)
    copies = np.repeat(np.arange(n), weight)
    repeated = HeldOutScores.of(residual[copies, None], fold_matrix(groups[copies]))
    assert weighted.total == repeated.total == weight.sum()
    # The new row has the weight of the heaviest, 3, where it is 1 without weights.
    levels = 0.8 * (weight.sum() + 1) / (weight.sum() + 3)
    found = intervals(weighted, centers, centers, np.array([levels]))
    expected = intervals(repeated, centers, centers, np.array([0.8]))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_the_unit_of_the_weights_does_not_matter():
    rng = np.random.default_rng(0)
    groups, scores = rng.integers(3, size=40), rng.normal(size=(40, 2))
    weight, centers = rng.uniform(size=40), rng.normal(size=(3, 5, 2))
    found = [
        intervals(
            HeldOutScores.of(scores, fold_matrix(groups), unit * weight),
            centers,
            centers + 1,
            LEVELS,
        )
        for unit in (1, 2.0**-20)
    ]
    np.testing.assert_array_equal(*found)
    ones = HeldOutScores.of(scores, fold_matrix(groups), np.full(40, 0.5))
    none = HeldOutScores.of(scores, fold_matrix(groups))
    np.testing.assert_array_equal(
        *[intervals(each, centers, centers, LEVELS) for each in (ones, none)]
    )


@pytest.mark.parametrize("n_classes", [2, 5])
def test_classes_of_low_scores_are_the_smallest_set_of_a_probability(n_classes):
    probability = np.random.default_rng(0).dirichlet(np.ones(n_classes), size=50)
    scores = adaptive_scores(probability)
    for level in (0.1, 0.5, 0.9, 0.999):
        for p, score in zip(probability, scores):
            order = np.argsort(-p)
            size = 1 + np.searchsorted(p[order].cumsum(), level)
            assert set(np.flatnonzero(score < level)) == set(order[:size])


def test_scores_of_equal_probabilities_differ():
    """Otherwise a set would hold all of the classes or none."""
    assert adaptive_scores(np.full(4, 0.25)).tolist() == [0, 0.25, 0.5, 0.75]


def test_interval_scores_are_distances_to_the_interval():
    low, high = np.array([[0.0], [0.0], [0.0]]), np.array([[2.0], [2.0], [2.0]])
    y = np.array([[-1.0], [0.5], [5.0]])
    assert interval_scores(low, high, y).ravel().tolist() == [1.0, -0.5, 3.0]
    np.testing.assert_array_equal(interval_scores(low, low, y), np.abs(y))


def test_weights_below_scores_are_counted_for_each_group():
    groups, scores = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.3, 0.2, 0.2, 0.9])
    held_out = HeldOutScores.of(scores[:, None], np.arange(2) == groups[:, None])
    # The first group is that of the second fold: rows of False come first.
    assert held_out.folds.tolist() == [[False, True], [True, False]]
    at = np.array([[0.2, 1.0], [0.2, 0.3]])
    assert held_out.below_scores(at).tolist() == [0 + 1, 3 + 1]


def test_rows_that_are_held_out_several_times_are_averaged():
    folds = [([], [0, 1]), ([], [1, 2]), ([], [4])]
    predictions = [np.array([1.0, 2.0]), np.array([4.0, 8.0]), np.array([16.0])]
    rows, of_rows, mean = held_out_rows(folds, predictions, 6)
    assert rows.tolist() == [0, 1, 2, 4]
    assert of_rows.astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert mean.tolist() == [1.0, 3.0, 8.0, 16.0]
    held_out = HeldOutScores.of(mean[:, None], of_rows)
    of_folds = [np.array([value]) for value in (1.0, 10.0, 100.0)]
    found = dict(zip(map(tuple, held_out.folds), held_out.means(of_folds).ravel()))
    expected = {(1, 0, 0): 1, (1, 1, 0): 5.5, (0, 1, 0): 10, (0, 0, 1): 100}
    assert found == expected


def test_coverage_of_means():
    """Folds whose models are the means of the other rows: CV+ as in the paper.

    The coverage of one draw has a standard deviation of about 0.9 (n + 2)^-1/2, so that
    the mean of 400 has one of 0.0015. The bound is four of them, and wider above, as
    the intervals may be too wide: here by a part of 1 / (n + 1) and of the folds.
    """
    rng, n, n_folds = np.random.default_rng(0), 100, 5
    groups, shares = np.arange(n) % n_folds, []
    for _ in range(400):
        y = rng.normal(size=n)
        centers = np.array([y[groups != fold].mean() for fold in range(n_folds)])
        residual = np.abs(y - centers[groups])[:, None]
        held_out = HeldOutScores.of(residual, np.arange(n_folds) == groups[:, None])
        at = centers[::-1, None, None]
        low, high = intervals(held_out, at, at, np.array([0.9]))[0, 0, :, 0]
        new = rng.normal(size=1000)
        shares.append(np.mean((low <= new) & (new <= high)))
    assert 0.894 < np.mean(shares) < 0.915


@pytest.mark.parametrize(
    "bad", [0, 1, -0.1, np.nan, "x", None, [], [0.5, 1.0], [[0.5]]]
)
def test_impossible_coverages(bad):
    with pytest.raises(ValueError, match="coverage must be a number between 0 and 1"):
        check_coverage(bad)
