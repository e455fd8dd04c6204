"""`augment` of an estimator: the rows that it changes, their units, and its draws."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _estimators import STEADY
from _fitted import key_of
from _fusion import compare, counted, outcome
from _numeric import request_of
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score

import skreg.data.batches
from skreg import (
    CNNClassifier,
    ImageAugmenter,
    MLPClassifier,
    MLPClassifierCV,
    MLPRegressor,
    TableAugmenter,
    fused,
)
from skreg.training.stack import Stack, loss_gradients

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHAPE = (4, 5)
N_FEATURES = 20
SMALL = STEADY | {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}
SMALL |= {"batch_size": 16, "learning_rate_init": 0.02}
GEOMETRY = {"rotation_range": 20, "width_shift_range": 1, "zoom_range": 0.2}


def image_augmenter(**parameters):
    return ImageAugmenter(**({"image_shape": SHAPE} | parameters))


def data(n=50, seed=0):
    """Return unscaled images whose second row of pixels depends on the class."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    X = rng.normal(size=(n, *SHAPE))
    X[:, 1] += y[:, None]
    return 50 * X.reshape(n, -1) + 100, y


def classifier(**parameters):
    return MLPClassifier(**(SMALL | parameters))


def coefs(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


def same(one, other, tolerance=1e-12):
    """Return whether two fitted networks are equal.

    Batches that change are trained on by torch, and others by the compiled library, in
    which sums have another order.
    """
    return all(
        np.allclose(a, b, rtol=0, atol=tolerance)
        for a, b in zip(coefs(one), coefs(other), strict=True)
    )


class Recorder:
    """A user's own augmenter that changes nothing and records its input."""

    def __init__(self):
        self.batches, self.draws = [], []

    def __call__(self, X, rng):
        self.batches.append(X.copy())
        self.draws.append(rng.random())
        X[:] = np.nan  # it is a copy
        return self.batches[-1]


def rows_of(batches):
    return sorted(map(tuple, np.concatenate(batches).tolist()))


@pytest.mark.parametrize("batch_size", [7, 16, 200])
def test_functions_see_all_training_rows_and_no_others(batch_size):
    """In the user's units, batch by batch, validation rows never."""
    X, y = data()
    X_val, y_val = data(seed=1)
    for options in ({}, {"X_val": X_val, "y_val": y_val}):
        recorder = Recorder()
        model = classifier(augment=recorder, early_stopping=True, batch_size=batch_size)
        model.set_params(n_iter_no_change=10).fit(X, y, **options)
        model.predict(X)
        n_train = 50 if options else 45
        n_batches = -(-n_train // batch_size)
        assert len(recorder.batches) == n_batches * model.n_iter_
        epochs = [recorder.batches[i::n_batches] for i in range(n_batches)]
        for epoch in zip(*epochs):
            rows = rows_of(epoch)
            assert len(set(rows)) == n_train
            assert set(rows) <= set(map(tuple, X.tolist()))
        if not options:
            request = request_of(clone(model), X, y)
            assert rows == rows_of([X[request.train.index]])


def test_a_function_that_changes_nothing_changes_nothing():
    X, y = data()
    assert same(classifier(augment=Recorder()).fit(X, y), classifier().fit(X, y))


def test_predictions_and_validation_do_not_change():
    X, y = data()
    X_val, y_val = data(seed=1)
    model = classifier(augment=image_augmenter(**GEOMETRY), early_stopping=True)
    model.set_params(restore_best_weights=False)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    expected = log_loss(y_val, model.predict_proba(X_val))
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("batch_size", [16, 200])
def test_changes_come_before_the_standardising(batch_size):
    """Twice the pixels, for which there is no other way than that of the network."""
    X, y = data()
    parameters = {"standardize": False, "batch_size": batch_size}
    X = X / 100
    doubled = image_augmenter(brightness_range=[2, 2])
    changed = classifier(augment=doubled, **parameters).fit(X, y)
    plain = classifier(**parameters).fit(2 * X, y)
    # Full batches are sorted before they are summed, if nothing changes them.
    np.testing.assert_allclose(changed.coefs_[0], plain.coefs_[0], rtol=1e-10)
    by_function = classifier(augment=lambda X, rng: 2 * X, **parameters).fit(X, y)
    assert same(changed, by_function)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_standardising_by_channel(sparse, n_channels):
    """What moves from pixel to pixel is on one scale, constant borders too."""
    X, y = data()
    X[:, -1] = 0
    weight = np.random.default_rng(0).uniform(0.5, 2, 50)
    augment = ImageAugmenter(image_shape=(2, 10 // n_channels, n_channels))
    model = classifier(augment=augment)
    model.fit(sp.csr_array(X) if sparse else X, y, weight)
    channels = X.reshape(50, -1, n_channels)
    mean = np.average(channels.mean(1), axis=0, weights=weight)
    square = np.average(((channels - mean) ** 2).mean(1), axis=0, weights=weight)
    expected = np.tile(np.sqrt(square), N_FEATURES // n_channels)
    np.testing.assert_allclose(model.feature_scale_, expected, rtol=1e-12)
    if sparse:
        assert model.feature_offset_ is None
    else:
        expected = np.tile(mean, N_FEATURES // n_channels)
        np.testing.assert_allclose(model.feature_offset_, expected, rtol=1e-12)
    constant = np.full((50, N_FEATURES), 0.1)
    assert (classifier(augment=augment).fit(constant, y).feature_scale_ == 1).all()


@pytest.mark.parametrize("shuffle", [False, True])
def test_how_many_batches_are_gathered_at_a_time_does_not_matter(monkeypatch, shuffle):
    X, y = data(75)
    augment = [image_augmenter(**GEOMETRY), lambda X, rng: X + rng.normal(size=X.shape)]
    model = classifier(augment=augment, shuffle=shuffle, batch_size=8)
    expected = clone(model).fit(X, y)
    monkeypatch.setattr(skreg.data.batches, "GATHERED_ELEMENTS", 1)
    assert same(clone(model).fit(X, y), expected, 1e-12)


def test_steps_of_a_list_come_in_order_from_streams_of_their_own():
    X, y = data()
    X = X / 100

    def add(X, rng):
        return X + 1

    doubled = image_augmenter(brightness_range=[2, 2])
    plain = {"standardize": False}
    one = classifier(augment=[add, doubled], **plain).fit(X, y)
    assert same(one, classifier(**plain).fit(2 * (X + 1), y))
    other = classifier(augment=(doubled, add), **plain).fit(X, y)
    assert same(other, classifier(**plain).fit(2 * X + 1, y))
    recorders = Recorder(), Recorder()
    classifier(augment=list(recorders)).fit(X, y)
    draws = [draw for recorder in recorders for draw in recorder.draws]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("batch_size", [16, 200])
def test_every_epoch_and_call_draws_anew(batch_size):
    """Whole data sets in one batch too; continued fits do not repeat draws."""
    X, y = data()
    recorder = Recorder()
    model = classifier(augment=recorder, batch_size=batch_size, warm_start=True)
    model.fit(X, y).fit(X, y)
    model.partial_fit(X, y).partial_fit(X, y)
    n_batches = -(-50 // batch_size)
    assert len(set(recorder.draws)) == (4 + 4 + 1 + 1) * n_batches
    again = Recorder()
    classifier(augment=again, batch_size=batch_size).fit(X, y)
    assert again.draws == recorder.draws[: 4 * n_batches]
    other = Recorder()
    classifier(augment=other, batch_size=batch_size, random_state=1).fit(X, y)
    assert not set(other.draws) & set(again.draws)


@pytest.mark.parametrize("batch_size", [16, 200])
def test_images_are_changed_anew_in_every_epoch(batch_size):
    X, y = data()
    augment = image_augmenter(**GEOMETRY)
    request = request_of(classifier(augment=augment, batch_size=batch_size), X, y)
    stack = Stack([request])
    epochs = [[b.x.clone() for b in stack.batches.epoch()] for _ in range(3)]
    ends = [epoch[-1] for epoch in epochs]
    assert not torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[1], ends[2])


def test_the_seed_decides():
    X, y = data()
    augment = image_augmenter(**GEOMETRY)
    one, again = (classifier(augment=augment).fit(X, y) for _ in range(2))
    assert same(one, again)
    assert not same(one, classifier(augment=augment, random_state=1).fit(X, y))
    for kind in (sp.csr_array, sp.csr_matrix):
        parameters = {"augment": augment, "standardize": False}
        dense = classifier(**parameters).fit(X / 100, y)
        assert same(classifier(**parameters).fit(kind(X / 100), y), dense, 1e-12)


def test_other_regularisers_draw_the_same_beside_it():
    """An augmenter that changes nothing leaves their masks and orders as they are."""
    X, y = data()
    parameters = {"dropout": 0.3, "mixup": 0.2, "input_noise": 0.1}
    plain = classifier(**parameters).fit(X, y)
    assert same(classifier(augment=Recorder(), **parameters).fit(X, y), plain)


GRID = {
    "augment__rotation_range": [0, 10],
    "augment__width_shift_range": [0, 1, 0.3],
    "augment__erasing": [0, 0.5],
}


@pytest.mark.parametrize("batch_size", [16, 200])
def test_strengths_share_a_stack(batch_size):
    """Fits fused are fits alone, whichever changes the others make."""
    network = classifier(augment=image_augmenter(), batch_size=batch_size)
    search = GridSearchCV(network, GRID, cv=3, scoring="neg_log_loss")
    compare(lambda: outcome(clone(search), *data(53)), stacks=[36, 1])


def test_what_cannot_differ_partitions_stacks():
    X, y = data()
    grid = [
        {"augment__fill_mode": ["nearest", "wrap"]},
        {"augment__cval": [0.0, 1.0], "augment__fill_mode": ["constant"]},
        {"augment__interpolation": ["nearest"]},
        {"augment__image_shape": [(20, 1)]},
        {"augment": [None, Recorder(), TableAugmenter(), TableAugmenter(mixup=0.1)]},
    ]
    network = classifier(augment=image_augmenter(**GEOMETRY))
    search = GridSearchCV(network, grid, cv=2, refit=False, scoring="neg_log_loss")
    # Those of tables, and none, are one stack; a function is one.
    sizes = compare(lambda: clone(search).fit(X, y).cv_results_["mean_test_score"])
    assert sorted(sizes) == [2] * 7 + [6]


def test_functions_share_a_stack():
    X, y = data(53)
    functions = [lambda X, rng, s=s: X + rng.normal(0, s, X.shape) for s in (1, 50, 90)]
    search = GridSearchCV(
        classifier(), {"augment": functions}, cv=2, scoring="neg_log_loss", refit=False
    )
    compare(lambda: clone(search).fit(X, y).cv_results_["mean_test_score"], stacks=[6])


def test_models_that_stop_leave_the_others_as_alone():
    X, y = data(60)
    network = classifier(
        augment=image_augmenter(**GEOMETRY),
        early_stopping=True,
        n_iter_no_change=2,
        tol=0.05,
        max_iter=40,
    )
    # Seeds of their own, or streams of others would be the same.
    grid = [
        {"learning_rate_init": [rate], "random_state": [seed]}
        for seed, rate in enumerate([0.001, 0.03, 0.3])
    ]
    search = GridSearchCV(network, grid, cv=3, scoring="neg_log_loss")
    compare(lambda: outcome(clone(search), X, y), stacks=[9, 1])


@pytest.mark.parametrize(
    "name, parameter",
    [
        ("mixup", "mixup"),
        ("cutmix", "cutmix"),
        ("cutout", "cutout"),
        ("noise", "input_noise"),
    ],
)
def test_tables_have_one_implementation(name, parameter):
    X, y = data()
    table = TableAugmenter(**{name: 0.3})
    expected = classifier(**{parameter: 0.3}).fit(X, y)
    assert same(classifier(augment=table).fit(X, y), expected)
    beside = [TableAugmenter(), table]
    assert same(classifier(augment=beside).fit(X, y), expected)
    assert not same(classifier().fit(X, y), expected)
    both = rf"augment=TableAugmenter\({name}=0.3\) and {parameter}=0.1"
    with pytest.raises(ValueError, match=both):
        classifier(augment=table, **{parameter: 0.1}).fit(X, y)
    with pytest.raises(ValueError, match=rf"TableAugmenter\({name}=0.2\) and augment"):
        classifier(augment=[table, TableAugmenter(**{name: 0.2})]).fit(X, y)
    with pytest.raises(ValueError, match=f"'{name}' parameter of TableAugmenter"):
        classifier(augment=TableAugmenter(**{name: -1})).fit(X, y)


def test_tables_and_images_together():
    X, y = data()
    both = [TableAugmenter(mixup=0.3), image_augmenter(**GEOMETRY)]
    expected = classifier(augment=both[1], mixup=0.3).fit(X, y)
    assert same(classifier(augment=both).fit(X, y), expected)


@pytest.mark.parametrize(
    "augment", [3, "flip", {"rotation_range": 3}, [3], [ImageAugmenter], [None]]
)
def test_what_is_no_augmenter(augment):
    with pytest.raises((ValueError, TypeError), match="augment") as error:
        classifier(augment=augment).fit(*data())
    assert repr(augment[0] if isinstance(augment, list) else augment) in str(
        error.value
    )


def test_invalid_augmenters():
    X, y = data()
    with pytest.raises(ValueError, match="'rotation_range' parameter"):
        classifier(augment=[image_augmenter(rotation_range=-1)]).fit(X, y)
    with pytest.raises(ValueError, match="needs image_shape"):
        classifier(augment=ImageAugmenter()).fit(X, y)
    with pytest.raises(ValueError, match=r"image_shape=\(3, 3, 1\)"):
        classifier(augment=ImageAugmenter(image_shape=(3, 3))).fit(X, y)
    with pytest.raises(ValueError, match=r"augment=.*shape of its input, \(16, 20\)"):
        classifier(augment=lambda X, rng: X[:-1]).fit(X, y)
    wrong = [(lambda X, rng: None, "got None"), (lambda X, rng: "many", "got 'many'")]
    wrong += [(lambda X, rng: X / np.zeros(20), "got numbers that are not finite")]
    for function, message in wrong:
        with (
            np.errstate(all="ignore"),
            pytest.raises(ValueError, match=f"augment=.* array of numbers.*{message}"),
        ):
            classifier(augment=function).fit(X, y)


def failing(X, rng):
    raise RuntimeError("of this function")


@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_a_function_that_fails_fails_its_own_network():
    X, y = data()
    augment = [[failing], [Recorder()]]
    with fused():
        search = GridSearchCV(classifier(), {"augment": augment}, cv=2, refit=False)
        with pytest.warns(FitFailedWarning, match="RuntimeError: of this function"):
            found = search.fit(X, y).cv_results_["mean_test_score"]
    expected = cross_val_score(classifier(augment=augment[1]), X, y, cv=2).mean()
    np.testing.assert_array_equal(found, [np.nan, expected])


def test_the_shape_of_a_network_of_images():
    """None is the network's own; without convolutions it is the same as a dense one."""
    X, y = data()
    expected = classifier(augment=image_augmenter(**GEOMETRY)).fit(X, y)
    settings = SMALL | {"channels": (), "image_shape": SHAPE}
    found = CNNClassifier(**settings, augment=ImageAugmenter(**GEOMETRY)).fit(X, y)
    assert same(found, expected)


def test_random_rows_have_no_optimum():
    """Neither L-BFGS nor a certificate of it; what is off is no obstacle."""
    X, y = data()
    augment = image_augmenter(**GEOMETRY)
    for augmenter in (augment, [augment], Recorder()):
        with pytest.raises(ValueError, match=r"solver='lbfgs'.*augment="):
            classifier(augment=augmenter, solver="lbfgs").fit(X, y)
    linear = {"hidden_layer_sizes": (), "l1": 0.01, "max_iter": 200}
    request = request_of(classifier(augment=augment, **linear), X, y)
    assert not request.is_deterministic and not request.is_certified
    off = request_of(classifier(augment=image_augmenter(), **linear), X, y)
    assert off.is_certified
    noisy = classifier(augment=augment, **(linear | {"max_iter": 3})).fit(X, y)
    assert noisy.n_iter_ == 3 and noisy.kkt_violation_ > 1e-5
    certified = classifier(augment=image_augmenter(), **linear).fit(X, y)
    assert certified.kkt_violation_ <= 1e-6


def test_full_passes_are_not_changed():
    X, y = data()
    augmented = request_of(classifier(augment=image_augmenter(**GEOMETRY)), X, y)
    plain = request_of(classifier(augment=image_augmenter()), X, y)
    for one, other in zip(loss_gradients(augmented), loss_gradients(plain)):
        assert torch.equal(one, other)


def test_what_is_off_is_not_there():
    X, y = data()
    for augment in (None, [], image_augmenter(), TableAugmenter(mixup=0.3)):
        assert (
            Stack([request_of(classifier(augment=augment), X, y)]).batches.augmentation
            is None
        )


def test_keys_of_checkpoints():
    X, y = data()

    def key(augment):
        return key_of(request_of(classifier(augment=augment), X, y))

    settings = [{}, {"rotation_range": 3}, {"rotation_range": 4}, {"shear_range": 3}]
    settings += [{"fill_mode": "wrap"}, {"cval": 1.0}, {"erasing": 0.5}]
    augmenters = [image_augmenter(**setting) for setting in settings]
    augmenters += [None, TableAugmenter(mixup=0.1), [augmenters[1], augmenters[2]]]
    keys = [key(augment) for augment in augmenters]
    assert None not in keys and len(set(keys)) == len(keys)
    assert keys == [key(clone(augment, safe=False)) for augment in augmenters]
    assert key(Recorder()) is None


def test_fits_with_augmenters_are_kept(tmp_path):
    X, y = data()
    search = GridSearchCV(
        classifier(augment=image_augmenter()), {"augment__rotation_range": [0, 10]}
    )
    with fused(checkpoint=tmp_path):
        first = outcome(clone(search), X, y)
    with counted() as sizes, fused(checkpoint=tmp_path):
        again = outcome(clone(search), X, y)
    assert sizes == []
    np.testing.assert_array_equal(first["predictions"], again["predictions"])


def test_regressors_and_estimators_that_tune_themselves():
    X, y = data(80)
    augment = image_augmenter(horizontal_flip=True)
    model = MLPRegressor(**(SMALL | {"augment": augment})).fit(X, X[:, 0])
    assert not same(model, MLPRegressor(**SMALL).fit(X, X[:, 0]))
    network = classifier(augment=augment, early_stopping=True)
    options = {"n_candidates": 3, "cv": 2, "random_state": 0, "linear_path": False}
    tuned = MLPClassifierCV(network, **options).fit(X, y)
    plain = MLPClassifierCV(clone(network).set_params(augment=None), **options)
    found, other = tuned.predict_proba(X), plain.fit(X, y).predict_proba(X)
    assert np.abs(found - other).max() > 1e-6


def test_parameters_of_parameters():
    model = classifier(augment=image_augmenter(rotation_range=3))
    assert model.get_params()["augment__rotation_range"] == 3
    model.set_params(augment__rotation_range=4)
    X, y = data()
    model.fit(X, y)
    copy = clone(model)
    assert copy.augment.rotation_range == 4 and copy.augment is not model.augment
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert "ImageAugmenter" in repr(model)
