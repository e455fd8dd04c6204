"""The pipeline of a table: numbers keep their differences, and fits can be repeated."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, RidgeCV

from skreg import MLPRegressor, MLPRegressorCV
from skreg.comparison.datasets import load_table
from skreg.comparison.pipelines import PowerScaler

N = 120
RNG = np.random.default_rng(0)
SIGNAL = RNG.normal(size=N)


def seconds(signal):
    """Return times within some minutes, as text."""
    start = pd.Timestamp("2020-06-15 12:30")
    return (start + pd.to_timedelta(np.round(signal * 60), unit="s")).astype(str)


UNITS = {
    "coordinates": lambda s: 5e6 + 1e-2 * s,
    "seconds since 1970": lambda s: 1.6e9 + 10 * s,
    "tiny": lambda s: 1e-50 * s,
    "huge": lambda s: 1e50 * s,
    "dates": seconds,
}


@pytest.fixture
def load(tmp_path):
    def load_frame(frame, **options):
        path = tmp_path / "data.csv"
        frame.to_csv(path, index=False)
        return load_table(path, "y", **options)

    return load_frame


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        RidgeCV(np.logspace(-3, 3, 7)),
        MLPRegressor(random_state=0),
        MLPRegressorCV(n_candidates=2, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_units(unit, estimator, load):
    """The target is the squashed input itself, whatever the input's unit is."""
    y = SIGNAL / np.sqrt(1 + SIGNAL**2 / 25)
    table = load(pd.DataFrame({"x": UNITS[unit](SIGNAL), "y": y}))
    model = table.pipeline(estimator).fit(table.X[::2], table.y[::2])
    # Squashing is at 5 interquartile ranges and not at 5, and networks are smooth.
    assert model.score(table.X[1::2], table.y[1::2]) > 0.99


def test_scaling_is_that_of_double_precision(load):
    """The inputs of the estimator are those of unscaled numbers to 1e-6."""
    frame = pd.DataFrame({"x": SIGNAL, "y": SIGNAL})
    plain, moved = load(frame), load(frame.assign(x=UNITS["coordinates"](SIGNAL)))
    expected = plain.pipeline(LinearRegression())[:-1].fit_transform(plain.X)
    found = moved.pipeline(LinearRegression())[:-1].fit_transform(moved.X)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_texts_do_not_depend_on_the_global_state(load):
    words = np.array("plot actor scene film music story end start".split())
    texts = [" ".join(RNG.choice(words, 6)) for _ in range(N)]
    table = load(pd.DataFrame({"x": texts, "y": SIGNAL}))
    assert table.columns[1].role == "text"
    outputs = []
    for seed in range(2):
        np.random.seed(seed)
        model = table.pipeline(LinearRegression()).fit(table.X, table.y)
        outputs.append(model.predict(table.X))
    np.testing.assert_array_equal(*outputs)


def test_columns_that_are_empty_in_a_fold(load):
    """They are constant there, without a warning."""
    first = np.arange(N) < N // 2
    frame = pd.DataFrame(
        {
            "number": np.where(first, np.nan, SIGNAL),
            "text": np.where(first, None, np.arange(N) % 50).astype(object),
            "date": np.where(first, "", seconds(SIGNAL)),
            "x": SIGNAL,
            "y": SIGNAL,
        }
    )
    frame["text"] = [None if pd.isna(t) else f"text number {t}" for t in frame["text"]]
    table = load(frame)
    assert [c.role for c in table.columns[1:]] == ["number", "text", "date", "number"]
    model = table.pipeline(LinearRegression()).fit(table.X[first], table.y[first])
    assert np.isfinite(model.predict(table.X)).all()


def test_digits_that_are_texts_stay_texts(load):
    """In a fold without letters, skrub would read them as numbers."""
    codes = np.array([f"{7919 * i % 10007:05d}" for i in range(N)])
    codes[0] = "about 5"
    table = load(pd.DataFrame({"x": codes, "y": SIGNAL}))
    assert table.columns[1].role == "text"
    model = table.pipeline(LinearRegression())[:-1].fit(table.X[1:], table.y[1:])
    assert model.transform(table.X).shape[1] > 1


def test_a_column_may_be_called_like_the_seconds_of_a_date(load):
    frame = pd.DataFrame(
        {"x": seconds(SIGNAL), "x in seconds": RNG.normal(size=N), "y": SIGNAL}
    )
    table = load(frame)
    model = table.pipeline(LinearRegression()).fit(table.X, table.y)
    assert model.score(table.X, table.y) > 0.99


def test_powers_of_two_are_exact():
    X = np.column_stack([SIGNAL, SIGNAL * 2.0**-150, SIGNAL * 2.0**90, np.ones(N)])
    X[0, 0] = np.nan
    found = PowerScaler().fit_transform(X)
    assert np.isnan(found[0, 0])
    for column in (1, 2):
        np.testing.assert_array_equal(found[1:, column], found[1:, 0])
    distances = np.abs(found[:, 1] - np.median(found[:, 1]))
    assert 0.5 <= np.median(distances[distances > 0]) < 1
    np.testing.assert_array_equal(found[:, 3], X[:, 3])


def test_outliers_stay_outliers():
    X = np.append(SIGNAL * 1e-90, [1e99, np.nan])[:, None]
    assert PowerScaler().fit_transform(X)[N, 0] == 1e100
    empty = PowerScaler().fit_transform(np.full((3, 1), np.nan))
    assert np.isnan(empty).all()
