"""The search spaces: their content, and a network with every value."""

import inspect
import re

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import StrOptions

from skreg import (
    BayesSearchCV,
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    search_space,
)

X, Y = load_iris(return_X_y=True)
KINDS = ["regularization", "cocktail"]
# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Cocktail(MLPClassifier):
    """A network that has every parameter of the spaces and is never fitted."""

    more = {
        "skip": None,
        "skip_l2": None,
        "cutmix": 0.0,
        "cutout": 0.0,
        "adversarial": 0.0,
        "stochastic_depth": 0.0,
        "swa_fraction": 0.0,
        "ema_decay": 0.0,
        "n_snapshots": 1,
        "numeric_embedding": None,
    }
    _parameter_constraints = MLPClassifier._parameter_constraints | {
        "skip": [StrOptions({"linear", "residual"}), None],
        "numeric_embedding": [StrOptions({"piecewise_linear", "periodic"}), None],
        "learning_rate": [StrOptions({"constant", "adaptive", "cosine", "onecycle"})],
    }

    def get_params(self, deep=True):
        """Return the parameters of the base class, and the ones that it lacks."""
        names = MLPClassifier._get_param_names()
        own = {name: getattr(self, name) for name in names}
        return own | {name: value for name, value in self.more.items()}


def with_more(**more):
    network = Cocktail((100,))
    network.more = Cocktail.more | more
    return network


def test_what_the_spaces_hold():
    small = set(search_space(Cocktail()))
    assert small == {"l2", "dropout", "numeric_embedding"}
    assert set(search_space(with_more(skip="linear"))) == small | {"skip_l2"}
    assert set(search_space(Cocktail(), "cocktail")) == small | {
        *("l1", "group_l1", "weight_decay", "input_dropout", "batchnorm"),
        *("skip", "skip_l2"),
        *("input_noise", "max_norm", "label_smoothing", "mixup", "cutmix", "cutout"),
        *("adversarial", "swa_fraction", "clip_norm", "learning_rate"),
    }


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_key_is_a_parameter(kind):
    space = search_space(kind(), "cocktail")
    assert set(space) <= set(kind().get_params())
    assert ("label_smoothing" in space) == (kind is MLPClassifier)


def test_lists_hold_what_the_estimator_knows():
    space = search_space(Cocktail(), "cocktail")
    assert space["learning_rate"] == ["constant", "cosine", "onecycle"]
    # One hidden layer has nothing beside it of the same size.
    assert space["skip"] == [None, "linear"]
    for sizes, more in [((9, 8, 8), ["residual"]), ((9, 8), [])]:
        space = search_space(Cocktail(sizes), "cocktail")
        assert space["skip"] == [None, "linear", *more]


def test_depth_is_dropped_where_something_skips_it():
    assert "stochastic_depth" not in search_space(Cocktail(), "cocktail")
    for skip in ("linear", "residual"):
        space = search_space(with_more(skip=skip), "cocktail")
        assert "stochastic_depth" in space and "skip" not in space
        assert ("skip_l2" in space) == (skip == "linear")


def test_weights_are_averaged_in_one_way():
    space = search_space(with_more(ema_decay=0.99), "cocktail")
    assert "swa_fraction" not in space


def test_snapshots_are_of_cosines():
    assert "n_snapshots" not in search_space(Cocktail(), "cocktail")
    network = Cocktail(learning_rate="cosine")
    space = search_space(network, "cocktail")
    assert space["n_snapshots"] == [1, 3, 5] and "learning_rate" not in space
    network.set_params(max_iter=4)
    assert search_space(network, "cocktail")["n_snapshots"] == [1, 3]
    network.set_params(early_stopping=True)
    assert "n_snapshots" not in search_space(network, "cocktail")


def test_what_solvers_and_linear_models_cannot_use():
    lbfgs = search_space(Cocktail(solver="lbfgs"), "cocktail")
    assert set(lbfgs) == {
        *("l1", "l2", "group_l1", "max_norm", "label_smoothing", "skip", "skip_l2"),
        "numeric_embedding",
    }
    linear = set(search_space(Cocktail(()), "cocktail"))
    assert not linear & {"dropout", "batchnorm", "skip", "skip_l2"}
    assert {"l1", "input_dropout", "mixup"} < linear


def ranges(space):
    """Return (low, high, off) of all strengths. `off` is nan if it cannot be off."""
    found = {}
    for name, distribution in space.items():
        if isinstance(distribution, list):
            continue
        off = getattr(distribution, "off", np.nan)
        distribution = getattr(distribution, "distribution", distribution)
        found[name] = *map(float, distribution.support()), off
    return found


def test_the_docstring_has_the_ranges():
    """Its tables are read, and compared with the distributions."""
    documented = {}
    for line in inspect.getdoc(search_space).splitlines():
        row = re.match(r"([a-z_0-9, ]+?)  +(log )?([\de.-]+) to ([\de.-]*\d)", line)
        if row:
            for name in row[1].split(", "):
                documented[name] = bool(row[2]), float(row[3]), float(row[4])
    spaces = search_space(Cocktail(), "cocktail")
    spaces |= search_space(with_more(skip="linear"), "cocktail")
    found = ranges(spaces)
    assert found.keys() == documented.keys()
    for name, (low, high, off) in found.items():
        distribution = getattr(spaces[name], "distribution", spaces[name])
        is_log = distribution.dist.name == "loguniform"
        assert (is_log, low, high) == pytest.approx(documented[name]), name
        if name in ("l2", "skip_l2"):  # always on
            assert np.isnan(off)
        else:
            assert off == Cocktail().get_params()[name]


def test_penalties_shrink_with_the_rows():
    few, many = (
        ranges(search_space(Cocktail(), "cocktail", n_samples=n)) for n in (100, 1000)
    )
    for name in few:
        factor = 10 if name in ("l1", "l2", "group_l1", "skip_l2") else 1
        np.testing.assert_allclose(few[name][:2], np.multiply(many[name][:2], factor))
    # C = 50 to 1 / 60, and 1e3 to 1e-2.
    assert few["l2"][:2] == pytest.approx((1 / (2 * 50 * 100), 60 / (2 * 100)))
    assert few["l1"][:2] == pytest.approx((1 / (1e3 * 100), 1 / (1e-2 * 100)))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("sizes", [(), (4,), (4, 4)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_draw_is_a_network(kind, sizes, solver):
    network = kind(sizes, solver=solver, max_iter=2, random_state=0)
    space = search_space(network, "cocktail", n_samples=len(Y))
    for candidate in ParameterSampler(space, 8, random_state=0):
        network.set_params(**candidate).fit(X, Y)
        assert np.isfinite(network.predict(X)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_both_searches_take_the_space(kind):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=2))
    space = search_space(pipeline, kind)
    for search in (RandomizedSearchCV, BayesSearchCV):
        found = search(pipeline, space, n_iter=3, cv=2, random_state=0).fit(X, Y)
        assert found.best_params_.keys() == space.keys()


def test_names_of_what_the_network_is_in():
    network = MLPRegressor()
    plain = list(search_space(network))
    steps = make_pipeline(StandardScaler(), network)
    for whole, prefix in [
        (steps, "mlpregressor__"),
        (TransformedTargetRegressor(network), "regressor__"),
        (TransformedTargetRegressor(steps), "regressor__mlpregressor__"),
        (make_pipeline(StandardScaler(), steps), "pipeline__mlpregressor__"),
    ]:
        names = list(search_space(whole))
        assert names == [prefix + name for name in plain]
        assert set(names) <= set(whole.get_params())


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(MLPClassifier(), StandardScaler()),
        TransformedTargetRegressor(),
        "MLPClassifier",
    ],
)
def test_what_is_no_network(estimator):
    with pytest.raises(ValueError, match="estimator must be an MLPClassifier or"):
        search_space(estimator)


def test_architectures_grow():
    sizes = search_space(MLPClassifier(), "architecture")["hidden_layer_sizes"]
    assert sizes[0] == () and len(set(sizes)) == len(sizes) == 19
    depths = [len(size) for size in sizes]
    assert depths == sorted(depths) and depths[-1] == 3
    for depth in (1, 2, 3):
        widths = [size[0] for size in sizes if len(size) == depth]
        assert widths == [8, 16, 32, 64, 128, 256]
    assert all(len(set(size)) <= 1 for size in sizes)


@pytest.mark.parametrize(("n_samples", "widest"), [(7, 0), (8, 8), (200, 128)])
def test_no_layer_is_wider_than_the_table_is_long(n_samples, widest):
    space = search_space(MLPClassifier(), "architecture", n_samples=n_samples)
    sizes = space["hidden_layer_sizes"]
    assert max((size[0] for size in sizes if size), default=0) == widest
    assert [size for size in sizes if not size or size[0] <= 8] == (
        [(), (8,), (8, 8), (8, 8, 8)] if widest else [()]
    )


def channels_of(n_samples=None, **settings):
    space = search_space(CNNClassifier(**settings), "architecture", n_samples)
    assert list(space) == ["channels"]
    return space["channels"]


def test_convolutions_grow():
    found = channels_of()
    assert found[:5] == [(), (8,), (16,), (32,), (8, 16)]
    assert found[-1] == (32, 64, 128) and len(found) == 10
    assert channels_of(image_shape=(28, 28)) == found
    assert max(map(len, channels_of(pool=4))) == 1
    assert max(map(len, channels_of(pool=3, image_shape=(9, 11)))) == 3
    assert max(map(len, channels_of(pool=3, image_shape=(8, 11)))) == 1
    assert max(map(len, channels_of(pool=1, image_shape=(2, 2, 3)))) == 3
    assert set(map(len, channels_of(kernel_size=(5, 3)))) == {2}
    assert channels_of(n_samples=16) == [(), (8,), (16,), (8, 16)]


def test_every_number_of_convolutions_is_a_network():
    images, y = np.random.default_rng(0).normal(size=(9, 8, 8)), np.arange(9.0)
    network = CNNRegressor(max_iter=1)
    for channels in search_space(network, "architecture")["channels"]:
        network.set_params(channels=channels).fit(images, y)
        assert [f.shape[3] for f in network.filters_] == list(channels)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_architecture_is_a_network(kind, solver):
    network = kind(solver=solver, max_iter=2, random_state=0)
    for sizes in search_space(network, "architecture")["hidden_layer_sizes"]:
        network.set_params(hidden_layer_sizes=sizes).fit(X, Y)
        assert [len(b) for b in network.intercepts_[:-1]] == list(sizes)


def test_an_architecture_is_drawn_beside_regularisers():
    network = MLPClassifier(max_iter=2, random_state=0)
    space = search_space(network) | search_space(network, "architecture")
    for search in (RandomizedSearchCV, BayesSearchCV):
        found = search(network, space, n_iter=3, cv=2, random_state=0).fit(X, Y)
        assert found.best_params_.keys() == space.keys()


def test_what_is_no_kind():
    with pytest.raises(ValueError, match="did you mean 'regularization'"):
        search_space(MLPClassifier(), "regularisation")


def test_rows_are_counted_in_positive_numbers():
    with pytest.raises(ValueError, match="n_samples must be positive or None, got 0"):
        search_space(MLPClassifier(), n_samples=0)
