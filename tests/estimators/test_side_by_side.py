"""Networks that predict side by side predict what each of them does."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from skreg import CNNClassifier, MLPClassifier, MLPClassifierCV, MLPRegressor
from skreg.estimators.side_by_side import FEW_ROWS, SideBySide

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(80, 16))
FACTOR = X[:, 0] * X[:, 1]
TARGETS = {"numbers": np.column_stack([FACTOR, 100 * X[:, 2]]), "flat": FACTOR}
TARGETS |= {"classes": np.digitize(FACTOR, [4, 12]), "binary": FACTOR > 9}
TARGETS["labels"] = np.column_stack([FACTOR > 9, X[:, 2] > 3]).astype(int)
KINDS = {
    "numbers": MLPRegressor((4,)),
    "flat": MLPRegressor((), standardize="robust"),
    "counts": MLPRegressor((3,), loss="poisson"),
    "classes": MLPClassifier((5,), batchnorm=True),
    "binary": MLPClassifier((4,), numeric_embedding="piecewise_linear"),
    "labels": MLPClassifier((4,), standardize=False),
    "images": CNNClassifier((2,), image_shape=(4, 4, 1)),
    "members": MLPClassifier((4,), n_estimators=2, ensemble="shared"),
    "alone": MLPClassifier((4,), n_snapshots=2, learning_rate="cosine"),
}
OTHERS = {"counts": "flat", "images": "classes", "members": "classes"}
OTHERS["alone"] = "binary"


def fitted(kind):
    """Return models of other rows, so of other scalings, and of two structures."""
    y = np.abs(TARGETS[OTHERS.get(kind, kind)])
    models = []
    for seed, rows in enumerate((slice(0, 40), slice(40, 80), slice(0, 80))):
        model = KINDS[kind].set_params(max_iter=2, random_state=seed)
        model = type(model)(**model.get_params(deep=False))
        if seed == 2 and kind != "flat":
            model.set_params(hidden_layer_sizes=(3,))
        models.append(model.fit(X[rows], y[rows]))
    return models


# Few epochs on purpose.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_each(kind):
    models = fitted(kind)
    together, rows = SideBySide(models), X[:7]
    found = together.predictions(rows)
    assert (together._stacks is None) == (kind == "alone")
    for one, model in zip(found, models, strict=True):
        own = getattr(model, "predict_proba", model.predict)(rows)
        # Products of few numbers, in another order, of numbers below a thousand.
        np.testing.assert_allclose(one, own, rtol=1e-9, atol=1e-9)
        assert one.dtype == own.dtype
    of_many = together.predictions(X)
    assert len(X) > FEW_ROWS
    np.testing.assert_allclose(of_many[1][:7], found[1], rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_average_follows_the_list_of_networks():
    """And sparse rows are predicted as well. The stacks are not pickled."""
    model = MLPClassifierCV(
        MLPClassifier((4,), max_iter=2, standardize=False),
        param_distributions={"l1": [0.0, 1e-3]},
        cv=2,
        random_state=0,
    ).fit(X, TARGETS["binary"])
    size = len(pickle.dumps(model))
    few = model.predict_proba(sp.csr_array(X[:5]))
    np.testing.assert_allclose(few, model.predict_proba(X)[:5], rtol=1e-9)
    assert len(pickle.dumps(model)) == size
    again = pickle.loads(pickle.dumps(model)).predict_proba(X[:5])
    np.testing.assert_array_equal(again, model.predict_proba(X[:5]))
    model.estimators_, model.weights_ = model.estimators_[:1], [1.0]
    model.temperature_ = 1
    own = model.estimators_[0].predict_proba(X[:5])
    np.testing.assert_allclose(model.predict_proba(X[:5]), own, rtol=1e-9)
