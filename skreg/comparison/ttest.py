"""The corrected resampled t-test for two models on the same splits."""

import numpy as np
from scipy import stats


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
        Score of the model minus score of the baseline on each of at least two splits.
    test_train_ratio : float
        Number of test rows over number of training rows of a split.
    confidence_level : float, default=0.95
        Level of the confidence interval, between 0 and 1.

    Returns
    -------
    p_value : ndarray of shape (...)
        Two-sided p-value. It is 1 if all differences are zero, and 0 if they are equal
        but not zero.
    ci_low, ci_high : ndarray of shape (...)
        Confidence interval of the mean difference.

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
    mean = differences.mean(axis=-1)
    sd = differences.std(axis=-1, ddof=1)
    # Equal differences, such as 0.93 - 0.91 on every split, may vary in their last
    # bits. This spread is a rounding error.
    sd = np.where(sd <= 1e-12 * np.abs(differences).max(axis=-1), 0.0, sd)
    standard_error = np.sqrt((1 / n_splits + test_train_ratio) * sd**2)
    t = np.full_like(mean, np.inf)
    np.divide(np.abs(mean), standard_error, out=t, where=standard_error > 0)
    t = np.where(np.all(differences == 0, axis=-1), 0.0, t)
    p_value = 2 * stats.t.sf(t, df=n_splits - 1)
    quantile = stats.t.ppf((1 + confidence_level) / 2, df=n_splits - 1)
    half_width = quantile * standard_error
    return p_value, mean - half_width, mean + half_width
