"""Every setting of an estimator in a search: fused equals unfused, in few stacks."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from _fusion import (
    classes,
    classifier,
    compare,
    counted,
    numbers,
    outcome,
    regressor,
)
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skreg import fused

pytestmark = pytest.mark.filterwarnings(
    # Few epochs are meant.
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning",
    "ignore:The optimality conditions:sklearn.exceptions.ConvergenceWarning",
    # Some candidates are to fail.
    "ignore:One or more of the test scores are non-finite:UserWarning",
)

X, Y = classes()
X_REAL, Y_REAL = numbers()
LOSS = "neg_log_loss"
STOPPING = {"early_stopping": True, "max_iter": 12, "n_iter_no_change": 2}


def confidence(network, X, y):
    """Return a score, as a user's scorer."""
    return float(np.mean(network.predict_proba(X)[np.arange(len(y)), y]))


# name: what is searched, what is fixed, and how many candidates are in each stack
SETTINGS = {
    "l1": ({"l1": [0.0, 0.01, [0.0, 0.02]]}, {}, [3]),
    "l2": ({"l2": [0.0, 0.1, [0.3, 0.0]]}, {}, [3]),
    # The metric of group_l1 is not that of the others.
    "group_l1": ({"group_l1": [0.0, 0.01, 0.1]}, {}, [1, 2]),
    "l1 and group_l1": ({"group_l1": [0.01, 0.1], "l1": [0.0, 0.01]}, {}, [4]),
    "feature_groups": (
        {"feature_groups": [None, [[0, 1]], [[1, 2]]]},
        {"group_l1": 0.05},
        [1, 1, 1],
    ),
    "feature_penalties": (
        {"feature_penalties": [None, {0: 3.0}, {1: np.inf, 2: 0}]},
        {"l1": 0.01, "l2": 0.1},
        [3],
    ),
    # Data without centring have stacks of their own.
    "fit_intercept": ({"fit_intercept": [True, False]}, {}, [1, 1]),
    "max_norm": ({"max_norm": [None, 0.5, 1.0]}, {}, [3]),
    "positive": ({"positive": [False, True]}, {}, [2]),
    "dropout": ({"dropout": [0.0, 0.2, [0.5]]}, {}, [3]),
    "dropout of two layers": (
        {"dropout": [0.0, [0.0, 0.5], [0.3, 0.1]]},
        {"hidden_layer_sizes": (5, 3)},
        [3],
    ),
    "input_dropout": ({"input_dropout": [0.0, 0.2]}, {}, [2]),
    "input_noise": ({"input_noise": [0.0, 0.5]}, {}, [2]),
    "batchnorm": ({"batchnorm": [False, True, "after"]}, {}, [1, 1, 1]),
    "batchnorm and dropout": ({"dropout": [0.0, 0.3]}, {"batchnorm": True}, [2]),
    "skip": ({"skip": [None, "linear", "residual"]}, {}, [1, 1, 1]),
    "skip_l1": (
        {"skip_l1": [None, 0.01], "skip_l2": [None, 0.1], "l1": [0.0, 0.02]},
        {"skip": "linear"},
        [8],
    ),
    "stochastic_depth": ({"stochastic_depth": [0, 0.5]}, {"skip": "linear"}, [2]),
    "embeddings": (
        {"numeric_embedding": [None, "piecewise_linear", "periodic"]},
        {"embedding_size": 3},
        [1, 1, 1],
    ),
    "embedding_scale": (
        {"embedding_scale": [0.1, 1.0], "init": ["glorot", "scaled"]},
        {"numeric_embedding": "periodic", "embedding_size": 3},
        [4],
    ),
    "mixup": ({"mixup": [0.0, 0.3, 1.0]}, {}, [3]),
    "cutmix": ({"cutmix": [0.0, 0.3, 1.0]}, {}, [3]),
    "cutout": ({"cutout": [0.0, 0.25, 0.5]}, {}, [3]),
    # Twice the rows for all of a stack, if for one.
    "adversarial": ({"adversarial": [0.0, 0.1, 0.3]}, {}, [1, 2]),
    "label_smoothing": ({"label_smoothing": [0.0, 0.1]}, {}, [2]),
    "weight_decay": ({"weight_decay": [0.0, 0.5]}, {}, [2]),
    "clip_norm": ({"clip_norm": [None, 0.1]}, {}, [2]),
    "learning_rate_init": ({"learning_rate_init": [0.001, 0.1]}, {}, [2]),
    "epochs": ({"max_iter": [1, 3, 5]}, {}, [3]),
    "betas": ({"beta_1": [0.5, 0.9], "beta_2": [0.9, 0.99]}, {}, [4]),
    "sgd": ({"momentum": [0.0, 0.9]}, {"solver": "sgd"}, [2]),
    "plain momentum": (
        {"nesterovs_momentum": [True, False]},
        {"solver": "sgd"},
        [1, 1],
    ),
    "solvers": ({"solver": ["adam", "sgd", "lbfgs"]}, {"batch_size": "auto"}, [1] * 3),
    "lbfgs": ({"l2": [0.01, 0.1]}, {"solver": "lbfgs", "batch_size": "auto"}, [2]),
    "lbfgs with l1": (
        {"l1": [0.01, 0.1], "max_iter": [3, 6]},
        {"solver": "lbfgs", "batch_size": "auto"},
        [4],
    ),
    "schedules": (
        {
            "learning_rate": (
                "constant invscaling adaptive cosine onecycle flat_cosine".split()
            )
        },
        {"solver": "sgd", "tol": 0.1, "n_iter_no_change": 1, "max_iter": 8},
        [6],
    ),
    "swa_fraction": ({"swa_fraction": [0.0, 0.3, 0.6]}, {"max_iter": 8}, [3]),
    "ema_decay": ({"ema_decay": [0.0, 0.5, 0.99]}, {"dropout": 0.2}, [3]),
    "n_snapshots": (
        {"n_snapshots": [1, 2, 3], "max_iter": [3, 5]},
        {"learning_rate": "cosine"},
        [6],
    ),
    "averages of normalised networks": (
        {"ema_decay": [0.0, 0.9], "max_iter": [3, 6]},
        STOPPING | {"batchnorm": True, "max_iter": 6},
        [4],
    ),
    "layers": (
        {"hidden_layer_sizes": [(), 3, (3,), (3, 2)], "l2": [0.01, 0.1]},
        {},
        [2, 4, 2],
    ),
    "activations": ({"activation": ["relu", "tanh", "gelu"]}, {}, [1, 1, 1]),
    "batches": ({"batch_size": [7, 20, "auto"]}, {}, [1, 1, 1]),
    "one batch": ({"l2": [0.0, 0.1]}, {"batch_size": 500}, [2]),
    "unshuffled": ({"shuffle": [True, False]}, {}, [1, 1]),
    "unscaled": ({"standardize": [True, False, "robust"]}, {}, [1, 1, 1]),
    "early stopping": ({"l2": [0.0, 0.3], "tol": [0.0, 0.1]}, STOPPING, [4]),
    "with and without": ({"early_stopping": [True, False]}, {}, [1, 1]),
    "last weights": ({"restore_best_weights": [True, False]}, STOPPING, [2]),
    "monitors": (
        {"monitor": ["loss", "accuracy", confidence]},
        STOPPING | {"learning_rate_init": 0.2},
        [3],
    ),
    "shares": ({"validation_fraction": [0.1, 0.4]}, STOPPING, [2]),
    "training loss": ({"validation_fraction": [None]}, STOPPING, [1]),
    "seeds": ({"random_state": [0, 1, 2]}, {"dropout": 0.2}, [3]),
    "class_weight": ({"class_weight": [None, "balanced", {0: 3.0}]}, {}, [3]),
    "all at once": (
        {"l2": [0.0, 0.1], "dropout": [0.1, 0.3]},
        STOPPING
        | {"mixup": 0.2, "input_noise": 0.1, "input_dropout": 0.1}
        | {"label_smoothing": 0.1, "weight_decay": 0.1, "clip_norm": 1.0}
        | {"max_norm": 2.0, "batchnorm": True}
        | {"cutmix": 0.2, "cutout": 0.2, "adversarial": 0.1}
        | {"learning_rate": "cosine", "ema_decay": 0.5},
        [4],
    ),
}
LOSSES = ["squared_error", "absolute_error", "huber", "poisson", "quantile"]


class TestSettings:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_search(self, name):
        grid, fixed, stacks = SETTINGS[name]
        search = GridSearchCV(
            classifier(**fixed), grid, cv=2, scoring=LOSS, return_train_score=True
        )
        X, y = classes(51)  # folds of unequal size
        sizes = compare(lambda: outcome(search, X, y))
        # A polish, if any, comes between the stacks of the steps and the refit.
        remaining = iter(sizes)
        assert all(2 * size in remaining for size in stacks), sizes

    @pytest.mark.parametrize("loss", LOSSES)
    def test_losses_of_a_regressor(self, loss):
        network = regressor(loss=loss)
        search = GridSearchCV(
            network, {"l2": [0.0, 0.1]}, cv=3, scoring="neg_mean_absolute_error"
        )
        compare(lambda: outcome(search, X_REAL, np.abs(Y_REAL)), [6, 1])

    @pytest.mark.parametrize("penalty", ["l1", "group_l1"])
    def test_exact_optima_are_found_together(self, penalty):
        network = classifier((), max_iter=300, batch_size="auto")
        grid = {penalty: [0.01, 0.03, 0.1]}

        def work():
            search = GridSearchCV(network, grid, cv=3, scoring=LOSS)
            found = outcome(search, X, Y)
            best = search.best_estimator_
            assert best.kkt_violation_ <= 1e-6
            return found, best.coef_, best.support_

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # The steps, and the full-batch solver after them.
            compare(work, [9, 9, 1, 1])

    def test_losses_partition(self):
        search = GridSearchCV(regressor(), {"loss": ["squared_error", "huber"]}, cv=3)
        compare(lambda: outcome(search, X_REAL, Y_REAL), [3, 3, 1])

    def test_single_precision(self):
        search = GridSearchCV(
            classifier(), {"dtype": ["float32"], "l2": [0.0, 0.1]}, cv=3, scoring=LOSS
        )
        # As many digits fewer as single precision has.
        compare(lambda: outcome(search, X, Y), [6, 1], tolerance=1e-5)

    def test_precisions_of_the_data(self):
        search = GridSearchCV(
            make_pipeline(FunctionTransformer(), classifier()),
            {"functiontransformer__func": [np.float32, np.float64]},
            cv=3,
            scoring=LOSS,
            refit=False,
        )

        def work():
            return search.fit(X, Y).cv_results_["mean_test_score"]

        compare(work, [3, 3], tolerance=1e-5)

    def test_a_network_that_diverges_harms_no_other(self):
        grid = {"learning_rate_init": [0.03, 1e300, 0.01]}
        search = GridSearchCV(classifier(), grid, cv=3, scoring=LOSS, refit=False)

        def work():
            with pytest.warns(FitFailedWarning, match="3 fits failed") as caught:
                search.fit(X, Y)
            failed = [w for w in caught if w.category is FitFailedWarning]
            return search.cv_results_ | {"n_warnings": len(failed)}

        sizes = compare(work)
        assert sizes[0] == 9
        assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [0, 1, 0]

    def test_a_failure_raises_as_alone(self):
        grid = {"learning_rate_init": [0.03, 1e300, 0.01]}
        search = GridSearchCV(classifier(), grid, cv=3, error_score="raise")
        messages = []
        for options in (None, {}):
            with pytest.raises(ValueError) as caught:
                if options is None:
                    search.fit(X, Y)
                else:
                    with fused():
                        search.fit(X, Y)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]

    def test_a_monitor_that_raises(self):
        def broken(network, X, y):
            raise ZeroDivisionError("no score")

        grid = {"monitor": ["loss", broken]}
        search = GridSearchCV(classifier(**STOPPING), grid, cv=3, scoring=LOSS)

        def work():
            with pytest.warns(FitFailedWarning, match="3 fits failed"):
                return outcome(search, X, Y)

        assert compare(work)[0] == 6

    @pytest.mark.parametrize("wrong", ["l2", "dropout"])
    def test_a_bad_parameter(self, wrong):
        search = GridSearchCV(classifier(), {wrong: [0.0, -1.0]}, cv=3, scoring=LOSS)

        def work():
            with pytest.warns(FitFailedWarning, match="3 fits failed"):
                return outcome(search, X, Y)

        compare(work, [3, 1])


class TestData:
    def test_folds_of_very_unequal_size(self):
        folds = PredefinedSplit(np.repeat([0, 1, 2, 3], [3, 7, 15, 25]))
        network = classifier(batch_size=6)
        scorer = make_scorer(accuracy_score)
        compare(
            lambda: cross_validate(
                network, X, Y, cv=folds, scoring=scorer, return_train_score=True
            ),
            [4],
        )
        compare(
            lambda: cross_val_predict(
                classifier(batch_size=6), X, Y, cv=folds, method="predict_proba"
            ),
            [4],
        )

    def test_groups(self):
        groups = np.repeat(np.arange(10), 5)
        compare(
            lambda: cross_val_score(
                classifier(), X, Y, groups=groups, cv=GroupKFold(4), scoring="accuracy"
            ),
            [4],
        )

    @pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array])
    def test_sparse(self, kind):
        sparse = kind(np.where(np.abs(X) > 3, X, 0))
        search = GridSearchCV(classifier(), {"l2": [0.0, 0.1]}, cv=3, scoring=LOSS)
        compare(lambda: outcome(search, sparse, Y), [6, 1])

    def test_sparse_and_dense_in_one_search(self):
        search = GridSearchCV(
            make_pipeline(FunctionTransformer(accept_sparse=True), classifier()),
            {"functiontransformer__func": [None, sp.csr_array]},
            cv=3,
            scoring=LOSS,
        )
        compare(lambda: outcome(search, X, Y), [3, 3, 1])

    def test_labels(self):
        labels = np.stack([Y == 0, Y != 1, X[:, 0] > 4], axis=1).astype(int)
        grid = {"l2": [0.0, 0.1]}
        search = GridSearchCV(classifier(), grid, cv=3, scoring=mean_label_loss)
        compare(lambda: outcome(search, X, labels), [6, 1])

    def test_many_outputs(self):
        X, y = numbers(n_outputs=3)
        search = GridSearchCV(regressor(), {"l2": [0.0, 0.1]}, cv=3)
        compare(lambda: outcome(search, X, y), [6, 1])

    def test_texts_as_classes(self):
        names = np.array(["low", "mid", "high"], dtype=object)[Y]
        search = GridSearchCV(classifier(), {"l2": [0.0, 0.1]}, cv=3, scoring=LOSS)
        compare(lambda: outcome(search, X, names), [6, 1])

    def test_folds_without_a_class(self):
        two = np.where(Y == 2, 0, Y)
        two[:4] = 2
        folds = [(np.arange(4, 50), np.arange(10)), (np.arange(50), np.arange(10))]
        # One network has two classes and so one output, the other three.
        compare(
            lambda: cross_val_score(classifier(), X, two, cv=folds, scoring="accuracy"),
            [1, 1],
        )

    def test_weights_as_fit_params(self):
        weight = np.random.default_rng(0).uniform(0, 2, 50)
        weight[::9] = 0
        for fixed in ({}, STOPPING, {"batchnorm": True}):
            search = GridSearchCV(
                classifier(**fixed), {"l2": [0.0, 0.1]}, cv=3, scoring=LOSS
            )
            compare(lambda: outcome(search, X, Y, sample_weight=weight), [6, 1])

    def test_weights_that_are_routed(self):
        weight = np.random.default_rng(0).uniform(0, 2, 50)
        with config_context(enable_metadata_routing=True):
            scorer = get_scorer(LOSS).set_score_request(sample_weight=True)
            network = classifier().set_fit_request(sample_weight=True)
            scale = StandardScaler().set_fit_request(sample_weight=False)
            for candidate, name in [
                (network, "l2"),
                (make_pipeline(scale, network), "mlpclassifier__l2"),
            ]:
                grid = {name: [0.0, 0.1]}
                search = GridSearchCV(candidate, grid, cv=3, scoring=scorer)
                compare(lambda: outcome(search, X, Y, sample_weight=weight), [6, 1])

            def work():
                given = {"sample_weight": weight}
                return cross_validate(network, X, Y, cv=3, scoring=scorer, params=given)

            compare(work, [3])

    def test_weights_reach_only_some(self):
        weights = [None, np.ones(50), np.arange(50.0)]

        def work():
            def fit(weight):
                return classifier().fit(X, Y, weight).predict_proba(X)

            return Parallel()(delayed(fit)(weight) for weight in weights)

        compare(work, [3])

    def test_validation_rows_that_are_given(self):
        X_val, y_val = classes(20, seed=1)
        search = GridSearchCV(
            classifier(**STOPPING), {"l2": [0.0, 0.1]}, cv=3, scoring=LOSS
        )
        compare(lambda: outcome(search, X, Y, X_val=X_val, y_val=y_val), [6, 1])


def mean_label_loss(network, X, y):
    p = np.clip(network.predict_proba(X), 1e-9, 1 - 1e-9)
    return float(np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


class TestRandomness:
    def test_a_generator_is_used_as_alone(self):
        def work():
            generator = np.random.RandomState(5)
            network = classifier(random_state=generator, dropout=0.2)
            search = GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=3, scoring=LOSS)
            return outcome(search, X, Y), generator.randint(1000, size=3)

        compare(work, [6, 1])

    def test_none(self):
        network = classifier(random_state=None)
        with counted() as sizes, fused():
            found = cross_validate(
                network,
                X,
                Y,
                cv=[(np.arange(50), [0])] * 3,
                return_estimator=True,
                scoring="accuracy",
            )
        assert sizes == [3]
        one, two, three = (e.coefs_[0] for e in found["estimator"])
        assert not np.allclose(one, two) and not np.allclose(two, three)

    def test_a_warm_start_goes_on_by_hand(self):
        def work():
            network = classifier(warm_start=True, max_iter=2)
            search = GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=3, scoring=LOSS)
            found = outcome(search, X, Y)
            again = search.best_estimator_.fit(X, Y)
            return found, again.predict_proba(X), again.n_iter_

        compare(work, [6, 1, 1])

    def test_warm_starts_in_tasks(self):
        def fit_twice(l2):
            network = classifier(warm_start=True, max_iter=2, l2=l2)
            network.fit(X, Y).set_params(l2=2 * l2).fit(X, Y)
            network.partial_fit(X, Y).partial_fit(X, Y)
            return network.predict_proba(X), network.loss_curve_

        def work():
            return Parallel()(delayed(fit_twice)(l2) for l2 in (0.0, 0.1, 0.2))

        sizes = compare(work)
        assert sizes[:2] == [3, 3]

    def test_fitted_attributes(self):
        def work():
            found = cross_validate(
                classifier(**STOPPING), X, Y, cv=3, scoring=LOSS, return_estimator=True
            )
            names = ("coefs_", "intercepts_", "n_iter_", "loss_curve_", "best_iter_")
            names += ("validation_loss_curve_", "validation_scores_", "t_", "loss_")
            names += ("kkt_violation_", "classes_", "feature_scale_", "history_")
            found = [{n: getattr(e, n) for n in names} for e in found["estimator"]]
            return [
                {n: v for n, v in e.items() if n != "history_"}
                | {"n_epochs": len(e["history_"])}
                for e in found
            ]

        compare(work, [3])
