"""The corrected resampled t-test for two models on the same splits."""

import numpy as np
from scipy import stats

# Minimum number of differences. Two agree so often by chance that their variance tells
# nothing, above all if each is a small number of rows.
LEAST_DIFFERENCES = 3
# Largest rounding error of a score or a difference, relative to it.
_ROUNDING = 1e-12


def corrected_ttest(differences, test_train_ratio, *, confidence_level=0.95):
    """Corrected resampled t-test of Nadeau and Bengio.

    The splits of repeated cross-validation share training rows, so the ordinary
    t-test finds differences where there are none. The correction adds the ratio of
    test rows to training rows to the variance of the mean:

    .. math::

        t = \\frac{\\bar d}{\\sqrt{(1/J + n_{test}/n_{train})\\, s_d^2}}

    with :math:`J` differences :math:`d_j`, their mean :math:`\\bar d` and their
    variance :math:`s_d^2` (with :math:`J - 1` in the denominator). :math:`t` is
    compared with Student's t-distribution with :math:`J - 1` degrees of freedom.

    Parameters
    ----------
    differences : array-like of shape (..., n_splits)
        Score of the model minus score of the baseline on each split.
    test_train_ratio : float
        Number of test rows over number of training rows of a split.
    confidence_level : float, default=0.95
        Level of the confidence interval, between 0 and 1.

    Returns
    -------
    p_value : ndarray of shape (...)
        Two-sided p-value. It is 1 if all differences are zero, because :math:`t` is
        then 0 for any variance. It is NaN if nothing can be told: if there are fewer
        than three differences, if they are equal but not zero, because their variance
        then says nothing about other splits, or if one of them is not finite.
    ci_low, ci_high : ndarray of shape (...)
        Confidence interval of the mean difference. It is NaN with fewer than three
        differences, if they are equal, or if one of them is not finite.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the Generalization Error",
       Machine Learning 52, 2003, pages 239-281.

    Examples
    --------
    >>> from skreg.comparison.ttest import corrected_ttest
    >>> p_value, ci_low, ci_high = corrected_ttest([0.01, 0.03, 0.02, 0.02], 0.25)
    >>> print(f"{p_value:.3f} [{ci_low:.3f}, {ci_high:.3f}]")
    0.041 [0.002, 0.038]
    """
    differences = np.asarray(differences, dtype=np.float64)
    n_splits = differences.shape[-1]
    if n_splits < LEAST_DIFFERENCES:
        return tuple(np.full((3, *differences.shape[:-1]), np.nan))
    with np.errstate(all="ignore"):  # infinite or NaN differences give NaN
        largest = np.abs(differences).max(axis=-1)
        # In units of the largest, so that squares neither overflow nor vanish.
        scaled = differences / np.where(largest > 0, largest, 1.0)[..., None]
        mean, sd = scaled.mean(axis=-1), scaled.std(axis=-1, ddof=1)
        sd = np.where(sd > _ROUNDING, sd, np.nan)
        standard_error = sd * np.sqrt(1 / n_splits + test_train_ratio)
        p_value = 2 * stats.t.sf(np.abs(mean) / standard_error, df=n_splits - 1)
        quantile = stats.t.ppf((1 + confidence_level) / 2, df=n_splits - 1)
        low = largest * (mean - quantile * standard_error)
        high = largest * (mean + quantile * standard_error)
    return np.where(largest == 0, 1.0, p_value)[()], low, high


def score_differences(scores, baseline, n_test):
    """Return differences of scores without those that only come from rounding.

    Differences within the rounding error of the scores are zero. If all differences are
    equal within this error, or come from the same number of rows, as those of the
    accuracy on test sets of 30 and 31 rows may, they all become their mean.

    Parameters
    ----------
    scores, baseline : ndarray of shape (n_splits,)
        Scores of the model and of the baseline.
    n_test : ndarray of shape (n_splits,)
        Number of test rows of each split.

    Returns
    -------
    ndarray of shape (n_splits,)

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.comparison.ttest import score_differences
    >>> n_test = np.array([30, 30, 31])
    >>> baseline = np.array([27, 28, 28]) / n_test
    >>> scores = np.array([28, 29, 29]) / n_test
    >>> score_differences(scores, baseline, n_test).round(4)
    array([0.033, 0.033, 0.033])
    """
    with np.errstate(all="ignore"):
        differences = scores - baseline
        if not np.isfinite(differences).all():
            return differences
        error = _ROUNDING * max(np.abs(scores).max(), np.abs(baseline).max())
        differences = np.where(np.abs(differences) <= error, 0.0, differences)
        is_equal = np.ptp(differences) <= error
        of_rows = differences * n_test
        is_equal |= np.ptp(of_rows) <= error * n_test.max()
    return np.full_like(differences, differences.mean()) if is_equal else differences
