"""The choice by one standard error, against its definition, in all searches."""

import pickle
from functools import partial

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    ShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    BayesSearchCV,
    CNNRegressor,
    MLPClassifier,
    MLPClassifierCV,
    MLPRegressor,
    fused,
    one_standard_error,
    regularization_path,
    search_space,
)

X, Y = load_diabetes(return_X_y=True)
SIZES = [(), (8,), 16, (8, 8), [64], (16, 16, 16)]


def table(scores, params, name="score"):
    """Make `cv_results_` from scores of shape (n_candidates, n_folds)."""
    scores = np.asarray(scores, dtype=float)
    columns = {f"split{k}_test_{name}": fold for k, fold in enumerate(scores.T)}
    return {"params": list(params), **columns, f"mean_test_{name}": scores.mean(1)}


def by_definition(scores, complexities):
    """Return all candidates that the rule allows, by its definition."""
    n_folds = len(scores[0])
    means = [sum(row) / n_folds for row in scores]
    best = means.index(max(means))
    squares = sum((s - means[best]) ** 2 for s in scores[best])
    error = (squares / (n_folds - 1)) ** 0.5 / n_folds**0.5
    near = [i for i, mean in enumerate(means) if mean >= means[best] - error]
    least = min(complexities[i] for i in near)
    simplest = [i for i in near if complexities[i] == least]
    return max(simplest, key=lambda i: means[i])


def n_weights(sizes, n_inputs):
    sizes = [sizes] if isinstance(sizes, int) else sizes
    total, before = 0, n_inputs
    for size in (*sizes, 1):
        total, before = total + before * size, size
    return total


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    sizes = [SIZES[i] for i in rng.permutation(len(SIZES))]
    n_inputs = int(rng.integers(1, 100))
    scores = rng.normal(size=(len(sizes), 5)) + rng.normal(size=(len(sizes), 1))
    results = table(scores, [{"hidden_layer_sizes": s, "tol": 1} for s in sizes])
    found = one_standard_error(results, n_features=n_inputs)
    assert found == by_definition(scores, [n_weights(s, n_inputs) for s in sizes])
    assert type(found) is int


def test_the_seeds_above_tell_it_from_the_best_and_from_the_simplest():
    """Else the test above could not fail."""
    kinds = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rng.permutation(len(SIZES)), rng.integers(1, 100)
        scores = rng.normal(size=(6, 5)) + rng.normal(size=(6, 1))
        chosen = by_definition(scores, range(6))
        kinds.add((chosen == scores.mean(1).argmax(), chosen == 0))
    assert kinds >= {(False, False), (True, False), (False, True)}


def test_inputs_decide_between_wide_and_deep():
    scores = [[0.5, 0.6]] * 2
    results = table(scores, [{"hidden_layer_sizes": s} for s in [(64,), (16, 16, 16)]])
    assert one_standard_error(results, n_features=5) == 0
    assert one_standard_error(results, n_features=500) == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, [0.0, 0.1, 0.2]) for name in ("l1", "l2", "group_l1", "dropout")),
        ("pruning", [0, 0.5, 0.9]),
        *((name, [0, 1e-3, 1]) for name in ("weight_decay", "alpha", "input_noise")),
        ("input_dropout", [None, 0.1, 0.2]),
        ("l2", [(0.0, 0.1), 0.2, np.array([0.2, 0.3])]),
        ("C", [10.0, np.float64(1), 0.1]),
        ("max_norm", [None, 3, 0.5]),
    ],
)
def test_strong_is_simple(name, values):
    """Here each is stronger than the one before, and all are within the error."""
    scores = [[0.0, 1.0]] * 3
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        params = [{f"step__{name}": values[i]} for i in order]
        assert one_standard_error(table(scores, params)) == order.index(2)


def test_sizes_come_before_strengths():
    params = [
        {"hidden_layer_sizes": (4,), "l2": 0.1},
        {"hidden_layer_sizes": (4,), "l2": 0.2},
        {"hidden_layer_sizes": (8,), "l2": 0.3},
    ]
    assert one_standard_error(table([[0, 1]] * 3, params)) == 1


def test_several_strengths_count_by_their_ranks():
    l2 = [1e-6, 1e-1, 1e-2, 0.0]
    dropout = [0.5, 0.0, 0.4, 0.0]  # ranks 2 + 4, 4 + 1.5, 3 + 3, 1 + 1.5
    params = [{"l2": a, "dropout": b} for a, b in zip(l2, dropout)]
    scores = [[0.0, 1.0], [0.0, 1.0], [0.1, 1.0], [0.0, 1.0]]
    assert one_standard_error(table(scores, params)) == 2
    # A strength that a candidate does not have is off.
    params = [{"l2": 0.0}, {}, {"l2": 1e-9}]
    assert one_standard_error(table([[0, 1]] * 3, params)) == 2


def test_networks_without_sizes_are_the_largest():
    params = [{"l2": 0.1}, {"hidden_layer_sizes": (256, 256)}]
    assert one_standard_error(table([[0, 1]] * 2, params)) == 1


def test_of_equally_simple_ones_the_best_is_chosen():
    params = [{"hidden_layer_sizes": (4,), "tol": tol} for tol in (1, 2, 3)]
    params += [{"hidden_layer_sizes": (8,), "tol": 1}]
    results = table([[0.1, 0.8], [0.2, 0.9], [0.0, 1.0], [0.2, 1.0]], params)
    assert one_standard_error(results) == 1


def test_of_equal_best_scores_the_simplest_sets_the_error():
    """The error is 0.05 for the linear model, 0.5 for the other."""
    sizes = [(8, 8), (8,), ()]
    scores = [[0.0, 1.0], [0.45, 0.55], [0.4, 0.48]]
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        params = [{"hidden_layer_sizes": sizes[i]} for i in order]
        found = one_standard_error(table([scores[i] for i in order], params))
        assert order[found] == 1


def test_candidates_without_a_score_are_not_chosen():
    params = [{"hidden_layer_sizes": (n,)} for n in (1, 2, 3, 4)]
    scores = [[np.nan, 1.0], [-np.inf, 1.0], [0.4, 0.65], [0.5, 0.6]]
    assert one_standard_error(table(scores, params)) == 2
    with pytest.raises(ValueError, match="No candidate has a score in all folds"):
        one_standard_error(table(scores[:2], params[:2]))


def test_the_score_that_decides():
    params = [{"l2": 0.1}, {"l2": 0.2}]
    results = table([[0, 1], [0, 1]], params, "loss")
    results |= table([[2, 3], [0, 0.1]], params, "test_loss")
    assert one_standard_error(results, scoring="loss") == 1
    assert one_standard_error(results, scoring="test_loss") == 0
    with pytest.raises(ValueError, match="scoring='los': did you mean 'loss'"):
        one_standard_error(results, scoring="los")
    with pytest.raises(ValueError, match=r"cv_results must be .* got \['params'\]"):
        one_standard_error({"params": [{}]})
    with pytest.raises(ValueError, match="scoring='score'"):
        one_standard_error(results)


def test_a_callable_says_what_is_simple():
    params = [{"a": 3, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}]
    results = table([[0, 1]] * 3, params)
    assert one_standard_error(results, complexity=lambda p: -p["a"]) == 0
    assert one_standard_error(results, complexity=lambda p: (p["a"], p["b"])) == 2
    assert one_standard_error(results, complexity=lambda p: (p["a"], -p["b"])) == 1
    for wrong in (np.nan, None, "simple", (1, np.nan)):
        with pytest.raises(ValueError, match="complexity must return a number"):
            one_standard_error(results, complexity=lambda p: wrong)
    with pytest.raises(ValueError, match="same number of values"):
        one_standard_error(results, complexity=lambda p: list(range(p["a"])))


def test_nothing_known_to_be_simple():
    params = [{"tol": 1.0, "hidden_layer_sizes": ()}, {"tol": 2.0}]
    params[1]["hidden_layer_sizes"] = ()
    results = table([[0, 1], [0, 2]], params)
    with pytest.warns(UserWarning, match=r"None of the parameters \['tol'\] is known"):
        assert one_standard_error(results) == 1
    assert one_standard_error(table([[0, 1]], [{}])) == 0


def chosen_by_hand(search):
    """Choose from a search over Ridge's alpha by the definition."""
    results = search.cv_results_
    n_folds = search.n_splits_
    scores = np.array([results[f"split{k}_test_score"] for k in range(n_folds)]).T
    alphas = [next(iter(p.values())) for p in results["params"]]
    return by_definition(scores.tolist(), [-alpha for alpha in alphas])


SPACE = {"ridge__alpha": loguniform(1e-3, 1e4)}
SEARCHES = {
    "grid": partial(GridSearchCV, param_grid={"ridge__alpha": np.logspace(-3, 4, 15)}),
    "random": partial(RandomizedSearchCV, param_distributions=SPACE, random_state=0),
    "bayes": partial(
        BayesSearchCV, param_distributions=SPACE, n_iter=16, random_state=0
    ),
}


@pytest.mark.parametrize("kind", SEARCHES)
def test_searches_take_it(kind):
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = SEARCHES[kind](pipeline, refit=one_standard_error)
    search = pickle.loads(pickle.dumps(clone(search))).fit(X, Y)
    assert search.best_index_ == chosen_by_hand(search)
    best = search.cv_results_["mean_test_score"].argmax()
    assert search.best_index_ != best
    assert search.best_estimator_[-1].alpha == search.best_params_["ridge__alpha"]
    assert not hasattr(search, "best_score_")
    assert pickle.loads(pickle.dumps(search)).predict(X).shape == Y.shape


def test_several_scores_in_a_search():
    rule = partial(one_standard_error, scoring="mae")
    scoring = {"mae": "neg_mean_absolute_error", "r2": "r2"}
    grid = {"alpha": [1e-3, 1e-1, 10.0]}
    search = GridSearchCV(Ridge(), grid, scoring=scoring, refit=rule).fit(X, Y)
    alone = GridSearchCV(Ridge(), grid, scoring=scoring["mae"], refit="mae")
    alone.set_params(refit=one_standard_error).fit(X, Y)
    assert search.best_params_ == alone.best_params_


def test_options_survive_clone_and_pickle():
    search = GridSearchCV(
        Ridge(), {"alpha": [1.0]}, refit=partial(one_standard_error, n_features=7)
    )
    for copied in (clone(search), pickle.loads(pickle.dumps(search))):
        assert copied.refit.func is one_standard_error
        assert copied.refit.keywords == {"n_features": 7}


def test_one_fold_has_no_error():
    search = GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=ShuffleSplit(1))
    with pytest.raises(ValueError, match="at least 2 folds, got 1"):
        search.set_params(refit=one_standard_error).fit(X, Y)


def test_of_halving_the_last_iteration_counts():
    search = HalvingGridSearchCV(
        Ridge(), {"alpha": np.logspace(-3, 4, 9)}, random_state=0
    ).fit(X, Y)
    results = search.cv_results_
    last = np.flatnonzero(results["iter"] == results["iter"].max())
    assert len(last) < len(results["params"])
    n_folds = search.n_splits_
    scores = np.array([results[f"split{k}_test_score"][last] for k in range(n_folds)])
    alphas = [results["params"][i]["alpha"] for i in last]
    expected = last[by_definition(scores.T.tolist(), [-alpha for alpha in alphas])]
    assert one_standard_error(results) == expected
    # The documentation says that it is not called.
    again = clone(search).set_params(refit=one_standard_error).fit(X, Y)
    assert again.best_score_ == search.best_score_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_of_rungs_the_last_counts():
    network = MLPClassifier((4,), max_iter=4, early_stopping=True)
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifierCV(
        network, param_distributions={"l2": loguniform(1e-6, 1)}, random_state=0
    ).fit(X, y)
    rungs = clf.cv_results_["rung"]
    assert rungs.min() < rungs.max()
    assert rungs[one_standard_error(clf.cv_results_)] == rungs.max()


def test_the_path_chooses_alike():
    path = regularization_path(MLPRegressor(()), X, Y, n=10)
    results = table(path.scores, [{"l1": strength} for strength in path.strengths])
    assert one_standard_error(results) == path.one_se_index != path.best_index


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("prefix", ["", "mlpregressor__"])
def test_networks_that_grow(prefix):
    """Fused or not, the choice is the same, and it is among the space's."""
    network = MLPRegressor(max_iter=2, random_state=0)
    estimator = make_pipeline(StandardScaler(), network) if prefix else network
    space = search_space(estimator, "architecture", n_samples=16)
    assert list(space) == [f"{prefix}hidden_layer_sizes"]
    search = GridSearchCV(estimator, space, cv=3, refit=one_standard_error)
    with fused():
        together = clone(search).fit(X, Y)
    alone = search.fit(X, Y)
    assert together.best_params_ == alone.best_params_
    scores = [alone.cv_results_[f"split{k}_test_score"] for k in range(3)]
    sizes = space[f"{prefix}hidden_layer_sizes"]
    weights = [n_weights(size, 20) for size in sizes]
    assert alone.best_index_ == by_definition(np.transpose(scores).tolist(), weights)


def test_weights_of_convolutional_networks():
    """As many as fitted networks have."""
    rng = np.random.default_rng(0)
    images, y = rng.normal(size=(4, 16, 16)), rng.normal(size=4)
    settings = [
        {"channels": (2,), "hidden_layer_sizes": (3,)},
        {"channels": (2, 5), "hidden_layer_sizes": ()},
        {"channels": 4, "kernel_size": 5, "pool": 4},
        {"channels": (2, 3), "kernel_size": (1, 3), "pool": (1, 2)},
        {"channels": (), "hidden_layer_sizes": (2,)},
        {"pool": 4},
    ]
    counts = []
    for setting in settings:
        network = CNNRegressor(max_iter=1, **setting).fit(images, y)
        counts.append(sum(weight.size for weight in network.coefs_))
    # The simplest of equally good candidates is chosen, so each but the largest once.
    order = np.argsort(counts)
    for first in range(len(order) - 1):
        some = [settings[i] for i in order[first:][::-1]]
        results = table([[0.5, 0.5]] * len(some), some)
        found = one_standard_error(results, n_features=256)
        assert some[found] == settings[order[first]]


def test_channels_alone_tell_the_simplest():
    params = [{"cnn__channels": c} for c in ((8, 16), (4, 8), (16, 32))]
    results = table([[0.6, 0.7], [0.5, 0.7], [0.6, 0.7]], params)
    assert one_standard_error(results, n_features=784) == 1


def test_pruned_networks_are_simpler():
    params = [{"pruning": 0.0}, {"pruning": 0.5}, {"pruning": 0.9}]
    results = table([[0.5, 0.7], [0.5, 0.7], [0.0, 0.1]], params)
    assert one_standard_error(results) == 1
