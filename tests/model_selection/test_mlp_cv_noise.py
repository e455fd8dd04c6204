"""The estimators that tune themselves: data with little or nothing to find."""

import numpy as np
import pytest
from _tuned import KINDS, NETWORKS
from scipy.stats import rankdata
from sklearn.metrics import log_loss

from skreg import MLPClassifierCV, MLPRegressorCV

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.34, 0.33, 0.33)])
def test_noise_is_predicted_by_the_base_rate(shares):
    """Issue: the strongest regularisation, and a log loss within 2 %."""
    rng = np.random.default_rng(0)

    def draw(n):
        return rng.normal(size=(n, 20)), rng.choice(len(shares), size=n, p=shares)

    X, y = draw(500)
    X_new, y_new = draw(10_000)
    search = MLPClassifierCV(random_state=0).fit(X, y)
    base = np.tile(np.bincount(y) / 500, (10_000, 1))
    loss = log_loss(y_new, search.predict_proba(X_new))
    assert loss < 1.02 * log_loss(y_new, base)
    # The linear model is used alone, with one of the larger strengths.
    assert search.linear_weight_ == 1
    assert search.l2_ >= 10 / 400


def test_lucky_noise():
    """A draw by which the best candidate is better by one and a half errors."""
    rng = np.random.default_rng(21)
    X, y = rng.normal(size=(500, 20)), rng.choice(2, 500)
    X_new, y_new = rng.normal(size=(10_000, 20)), rng.choice(2, 10_000)
    search = MLPClassifierCV(random_state=21).fit(X, y)
    base = log_loss(y_new, np.tile(np.bincount(y) / 500, (10_000, 1)))
    assert log_loss(y_new, search.predict_proba(X_new)) < 1.02 * base
    assert search.linear_weight_ == 1
    alone = MLPClassifierCV(random_state=21, linear_path=False).fit(X, y)
    assert log_loss(y_new, alone.predict_proba(X_new)) < 1.02 * base
    results = alone.cv_results_
    strengths = [results[f"param_{name}"] for name in ("l2", "skip_l2", "dropout")]
    ranks = sum(rankdata(strength.data.astype(float)) for strength in strengths)
    assert ranks[alone.best_index_] == ranks.max()


def test_a_regressor_of_noise():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 10)), rng.normal(size=300)
    search = MLPRegressorCV(random_state=0, cv=3, n_candidates=8).fit(X, y)
    # The linear model is used alone, with one of the larger strengths.
    assert search.linear_weight_ == 1
    assert search.l2_ >= 10 / 400
    X_new, y_new = rng.normal(size=(5000, 10)), rng.normal(size=5000)
    assert search.score(X_new, y_new) > -0.1


def test_what_is_there_is_found():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    search = MLPClassifierCV(random_state=0, n_candidates=8).fit(X[:200], y[:200])
    assert search.score(X[200:], y[200:]) > 0.85
    best = search.cv_results_["rank_test_score"][search.best_index_]
    assert best == 1


@pytest.mark.parametrize("kind, seed", list(zip(KINDS, (0, 1))))
def test_many_inputs_and_few_that_matter(kind, seed):
    """The group lasso keeps the three true ones of 500 inputs, which weigh the most."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 500))
    y = 2 * (X[:, 0] - X[:, 1] + X[:, 2]) + 0.3 * rng.normal(size=60)
    # All rows in a batch, for the noise of batches keeps weights from zero.
    network = NETWORKS[kind](
        (64, 64), skip="linear", early_stopping=True, batch_size=60, max_iter=60
    )
    search = kind(
        network,
        param_distributions={"group_l1": np.geomspace(0.03, 0.5, 8).tolist()},
        n_candidates=8,
        refit=True,
        n_ensemble=1,
        random_state=seed,
    ).fit(X, (y > 0).astype(int) if kind is MLPClassifierCV else y)
    importances = search.estimator_.feature_importances_
    assert set(np.argsort(-importances)[:3]) == {0, 1, 2}
    assert search.estimator_.support_[:3].all()
    # Like the lasso of a cross-validation it keeps some others, but few.
    assert search.estimator_.support_.sum() < 50
