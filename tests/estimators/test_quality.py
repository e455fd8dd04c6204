"""On unscaled data, the defaults are as good as scikit-learn's MLP on scaled data."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier as PlainClassifier
from sklearn.neural_network import MLPRegressor as PlainRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPRegressor

# The defaults are what is compared, also where they stop short of convergence.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_SEEDS = 4


def classifiers(seed):
    plain = make_pipeline(StandardScaler(), PlainClassifier(random_state=seed))
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    return MLPClassifier(random_state=seed), plain, folds


def regressors(seed):
    plain = make_pipeline(StandardScaler(), PlainRegressor(random_state=seed))
    plain = TransformedTargetRegressor(plain, transformer=StandardScaler())
    folds = KFold(3, shuffle=True, random_state=seed)
    return MLPRegressor(random_state=seed), plain, folds


@pytest.mark.parametrize(
    "load, pair, floor, margin",
    [
        (load_breast_cancer, classifiers, 0.96, 0),
        (load_wine, classifiers, 0.96, 0),
        # 15 epochs are a little few for 442 rows; over 40 seeds R² is lower by 0.008.
        (lambda **kw: load_diabetes(**kw, scaled=False), regressors, 0.4, 0.02),
    ],
    ids=["breast_cancer", "wine", "diabetes"],
)
def test_at_least_scikit_learn(load, pair, floor, margin):
    """Mean over seeds of the scores in the same three folds.

    Initial weights, batch order and folds are random, and make the difference of two
    equally good networks vary around zero. So it must not be below the margin by more
    than two standard errors, which are those of the very differences (0.002 to 0.005).
    """
    X, y = load(return_X_y=True)
    scores = np.array(
        [
            [cross_val_score(e, X, y, cv=folds).mean() for e in estimators]
            for *estimators, folds in map(pair, range(N_SEEDS))
        ]
    )
    difference = scores[:, 0] - scores[:, 1]
    error = difference.std(ddof=1) / N_SEEDS**0.5
    assert difference.mean() + 2 * error >= -margin
    assert error < 0.01  # or the comparison would say nothing
    assert scores[:, 0].mean() > floor


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_units_do_not_matter(kind, factor):
    """Metres or micrometres, with an offset or not: the same predictions."""
    X, y = (load_wine if kind is MLPClassifier else load_diabetes)(return_X_y=True)
    estimator, other = (kind(random_state=0, max_iter=50) for _ in range(2))
    X_other = X * factor + 3 * factor
    expected = estimator.fit(X, y)
    other.fit(X_other, y)
    if kind is MLPRegressor:
        other.fit(X_other, y * factor - factor)
        found = (other.predict(X_other) + factor) / factor
        np.testing.assert_allclose(found, expected.predict(X), rtol=1e-6)
    else:
        found = other.predict_proba(X_other)
        np.testing.assert_allclose(found, expected.predict_proba(X), rtol=1e-6)
