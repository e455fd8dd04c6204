"""The corrected t-test: its formula, and differences that tell nothing."""

import math

import numpy as np
import pytest
from _comparisons import make_result
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from skreg.comparison.ttest import corrected_ttest, score_differences

SCORES = st.floats(-1e6, 1e6, allow_subnormal=False)
FOLDS = st.integers(3, 12)


def test_corrected_ttest_equals_the_closed_form():
    differences = np.array([0.01, 0.04, -0.01, 0.03, 0.02])
    ratio = 0.25
    spread = np.sqrt(sum((differences - 0.018) ** 2) / 4 * (1 / 5 + ratio))
    expected_p = 2 * (1 - stats.t(df=4).cdf(0.018 / spread))
    half_width = stats.t(df=4).ppf(0.95) * spread

    p_value, low, high = corrected_ttest(differences, ratio, confidence_level=0.9)

    assert p_value == pytest.approx(expected_p, rel=1e-10)
    assert (low, high) == pytest.approx((0.018 - half_width, 0.018 + half_width))


def test_corrected_ttest_without_overlap_is_the_paired_ttest():
    first, second = np.random.default_rng(0).normal(size=(2, 10))
    expected = stats.ttest_rel(first, second)
    interval = expected.confidence_interval(0.95)
    p_value, low, high = corrected_ttest(first - second, 0.0)
    assert p_value == pytest.approx(expected.pvalue)
    assert (low, high) == pytest.approx((interval.low, interval.high))


def test_corrected_ttest_broadcasts_over_leading_axes():
    differences = np.random.default_rng(0).normal(size=(2, 3, 8))
    p_value, low, high = corrected_ttest(differences, 0.1)
    assert p_value.shape == low.shape == high.shape == (2, 3)
    assert p_value[1, 2] == corrected_ttest(differences[1, 2], 0.1)[0]


def reference(differences, ratio):
    """Return the p-value by scipy's t-test, with the variance of the mean corrected."""
    n = len(differences)
    t = stats.ttest_1samp(differences, 0.0).statistic / math.sqrt(1 + n * ratio)
    return 2 * stats.t.sf(abs(t), df=n - 1)


# degenerate differences


@pytest.mark.parametrize("differences", [[0.1, 0.3], [1 / 45, 1 / 45], [0.0, 0.0], [1]])
def test_fewer_than_three_differences_tell_nothing(differences):
    np.testing.assert_array_equal(corrected_ttest(differences, 1.0), np.nan)


@pytest.mark.parametrize(
    "differences",
    [
        [1 / 45] * 3,
        [-0.5] * 10,
        # The same difference, but for rounding.
        [0.93 - 0.91, 0.83 - 0.81, 0.53 - 0.51],
    ],
)
def test_equal_differences_tell_nothing(differences):
    """Their variance of zero is no estimate of that on other splits."""
    np.testing.assert_array_equal(corrected_ttest(differences, 0.25), np.nan)


def test_differences_of_zero_are_no_claim():
    p_value, low, high = corrected_ttest(np.zeros(5), 0.25)
    assert p_value == 1.0
    assert math.isnan(low) and math.isnan(high)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_differences_that_are_not_finite_tell_nothing(bad):
    np.testing.assert_array_equal(corrected_ttest([0.1, bad, 0.2], 0.25), np.nan)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_the_unit_of_the_score_does_not_matter(scale):
    differences = np.array([0.01, 0.03, 0.02, -0.01])
    expected = np.array(corrected_ttest(differences, 0.25))
    found = np.array(corrected_ttest(scale * differences, 0.25))
    # Two roundings of each difference, in its last bit.
    np.testing.assert_allclose(found, expected * [1, scale, scale], rtol=1e-13)


def test_rounding_of_large_scores_is_no_difference():
    baseline = np.full(5, -1e6)
    scores = baseline + np.array([1, -1, 2, 0, 1]) * np.spacing(1e6)
    assert (scores != baseline).any()
    found = make_result({"base": baseline, "net": scores}).statistics["net"]
    assert (found.difference, found.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("n_test", [[30, 30, 31], [75, 76, 75, 74]])
@pytest.mark.parametrize("n_rows", [1, -1, 7])
def test_the_same_number_of_rows_of_unequal_splits_is_the_same(n_test, n_rows):
    n_test = np.array(n_test)
    baseline = (n_test - 10) / n_test
    scores = (n_test - 10 + n_rows) / n_test
    assert np.ptp(scores - baseline) > 1e-5
    assert np.ptp(score_differences(scores, baseline, n_test)) == 0
    result = make_result({"base": baseline, "net": scores}, n_test=n_test)
    assert result.statistics["net"].difference == pytest.approx(
        np.mean(scores - baseline), rel=1e-12
    )
    assert math.isnan(result.statistics["net"].p_value)


# any scores


@given(st.lists(SCORES, min_size=3, max_size=12), st.floats(0.0, 2.0))
def test_the_p_value_is_scipys_where_there_is_one(differences, ratio):
    p_value, low, high = corrected_ttest(differences, ratio)
    largest = np.abs(differences).max()
    if largest == 0:
        assert p_value == 1.0
        return
    # scipy squares the differences, and the smallest squares would be 0.
    differences = np.array(differences) / largest
    spread = np.std(differences, ddof=1)
    if math.isnan(p_value):
        assert spread <= 1e-12
        return
    assert 0 <= p_value <= 1 and low <= largest * np.mean(differences) <= high
    if spread > 1e-6:  # scipy loses digits, and warns, where they nearly agree
        assert p_value == pytest.approx(reference(differences, ratio), rel=1e-6)


@given(st.lists(SCORES, min_size=1, max_size=12), st.floats(0.0, 2.0))
def test_exchanged_models_have_the_same_p_value(differences, ratio):
    found = corrected_ttest(differences, ratio)
    other = corrected_ttest(-np.array(differences), ratio)
    np.testing.assert_array_equal(found[0], other[0])
    np.testing.assert_array_equal(found[1:], [-other[2], -other[1]])


@given(SCORES, FOLDS, st.floats(0.0, 2.0))
def test_no_claim_from_no_variance(difference, n_splits, ratio):
    p_value = corrected_ttest([difference] * n_splits, ratio)[0]
    assert p_value == 1 if difference == 0 else math.isnan(p_value)


@given(st.data())
def test_counts_of_right_rows_are_tested_as_they_are(data):
    n_test = data.draw(st.lists(st.integers(20, 24), min_size=3, max_size=8))
    counts = st.tuples(*(st.integers(0, n) for n in n_test))
    n_test, base, net = map(np.array, (n_test, data.draw(counts), data.draw(counts)))
    scores = {"base": base / n_test, "net": net / n_test}
    result = make_result(scores, n_train=4 * n_test, n_test=n_test)
    found = result.statistics["net"]
    assert found.difference == pytest.approx(np.mean((net - base) / n_test), abs=1e-12)
    if (net == base).all():
        assert found.p_value == 1
    elif np.ptp(net - base) == 0 or np.ptp((net - base) / n_test) < 1e-12:
        assert math.isnan(found.p_value)
    else:
        expected = reference((net - base) / n_test, 0.25)
        assert found.p_value == pytest.approx(expected, rel=1e-6)
