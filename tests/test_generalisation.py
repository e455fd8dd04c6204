"""The benchmark of public tables: its arithmetic, its inputs, and runs that go on."""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from sklearn.base import BaseEstimator

from skreg.compatibility import SKLEARN

FOLDER = Path(__file__).parents[1] / "examples" / "benchmarks"
needs_linear = pytest.mark.skipif(
    SKLEARN < (1, 8), reason="it has LogisticRegressionCV as of scikit-learn 1.8"
)


@pytest.fixture
def generalisation(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("generalisation")


@pytest.fixture
def pets(generalisation, monkeypatch):
    """A table with words and gaps, of 120 animals, every seventh of unknown age."""
    rng = np.random.default_rng(0)
    age = np.where(np.arange(120) % 7, rng.uniform(0, 20, 120), np.nan)
    animal = rng.choice(["cat", "dog", None], 120, p=[0.4, 0.4, 0.2])
    is_old = np.nan_to_num(age, nan=5.0) + rng.normal(size=120) > 8
    frame = pd.DataFrame({"age": age, "animal": animal, "is_old": is_old})
    suite = generalisation.suite
    table = importlib.import_module("table_sources").classes(lambda: frame, "is_old")
    monkeypatch.setitem(suite.TABLES, "pets", table)
    return frame


def test_summary(generalisation):
    errors = {
        "a": {"linear": 0.1, "sklearn": 0.3, "boosting": 0.2, "mlp": 0.1},
        "b": {"linear": 0.5, "sklearn": 0.4, "boosting": 0.1, "mlp": 0.2},
        "failed": {"linear": 0.5, "sklearn": np.nan, "boosting": 0.1, "mlp": 0.2},
    }
    rows = pd.DataFrame(
        [
            {"data": data, "model": model, "error": error + change, "seconds": 2.0}
            for data, of_models in errors.items()
            for model, error in of_models.items()
            for change in (-0.05, 0.05)  # two repeats
        ]
    )
    table, n_data = generalisation.ranks.summary(rows, "error")
    assert n_data == 2
    # Of four models, linear and mlp share the first place on "a".
    assert table["rank"].to_dict() == pytest.approx(
        {"mlp": 1.75, "boosting": 2.0, "linear": 2.75, "sklearn": 3.5}
    )
    assert table["rank of 3"].drop("boosting").to_dict() == pytest.approx(
        {"mlp": 1.25, "linear": 2.25, "sklearn": 2.5}
    )
    assert np.isnan(table["rank of 3"]["boosting"])
    assert table["MLP wins"].drop("mlp").to_dict() == pytest.approx(
        {"boosting": 1.0, "linear": 1.5, "sklearn": 2.0}
    )
    assert table["geo. mean"]["mlp"] == pytest.approx((0.11 * 0.21) ** 0.5 - 0.01)
    assert list(table.index[:2]) == ["mlp", "boosting"]


def test_where_a_model_is_worse_than_the_linear_one(generalisation):
    differences = {
        "clear": [0.02, 0.03, 0.025, 0.02, 0.03],
        "noisy": [0.2, -0.15, 0.1, -0.1, 0.0],
        "small": [0.004, 0.005, 0.004, 0.005, 0.004],
        "better": [-0.02, -0.03, -0.025, -0.02, -0.03],
        "short": [0.02, 0.03],
    }
    rows = pd.DataFrame(
        [
            {"data": data, "repeat": repeat, "model": model, "log loss": 0.5 + value}
            for data, of_splits in differences.items()
            for repeat, difference in enumerate(of_splits)
            for model, value in (("linear", 0.0), ("mlp-cv", difference))
        ]
    )
    ranks = generalisation.ranks
    compared = ranks.against_linear(rows, "log loss", "mlp-cv", test_share=0.25)
    for data, of_splits in differences.items():
        assert compared["excess"][data] == pytest.approx(np.mean(of_splits) / 0.5)
        if data != "short":
            # Of the usual test, with a variance of 1/5 + 1/3 instead of 1/5.
            t = stats.ttest_1samp(of_splits, 0).statistic / np.sqrt(1 + 5 / 3)
            assert compared["p"][data] == pytest.approx(2 * stats.t.sf(abs(t), 4))
    assert np.isnan(compared["p"]["short"])
    assert ranks.where_worse(compared) == (
        "by more than 1% on 3 of 5 (clear, noisy, short), "
        "significantly on 2 of 4 (clear, small)"
    )


def test_log_loss_of_classes_that_training_lacks(generalisation):
    class Model:
        classes_ = np.array([0, 2])

        def predict_proba(self, X):
            return np.array([[0.25, 0.75], [1.0, 0.0]])

    found = generalisation.scores(Model(), np.zeros((2, 1)), np.array([2, 0]), 3)
    assert found["error"] == 0
    # A probability of 1e-7 is the least, and rows sum to one again.
    assert found["log loss"] == pytest.approx(-np.log(0.75) / 2, abs=1e-6)


def test_sizes_share_no_table(generalisation):
    suite = generalisation.suite
    assert len(suite.TABLES) == sum(len(tables) for tables in suite.SIZES.values())
    assert suite.ROWS.keys() == suite.SIZES.keys()


def test_frames_are_tables_as_they_are(generalisation, pets):
    X, y = generalisation.suite.load("pets")
    X_train, X_test, y_train, y_test = generalisation.frames(X, y, False, 0)
    found = pd.concat([X_train, X_test]).sort_index()
    pd.testing.assert_series_equal(found["age"], pets["age"])
    is_gap = pets["animal"].isna()
    assert found["animal"].isna().equals(is_gap)
    assert found["animal"][~is_gap].tolist() == pets["animal"][~is_gap].tolist()
    assert len(X_test) == len(y_test) == 30
    assert sorted([*y_train, *y_test]) == sorted(pets["is_old"])


def test_matrices_are_imputed_encoded_and_scaled(generalisation, pets):
    X, y = generalisation.suite.load("pets")
    of_frames, of_matrices = (
        split(X, y, False, 0)
        for split in (generalisation.frames, generalisation.matrices)
    )
    train, test = of_frames[:2]
    for frame, matrix in zip((train, test), of_matrices[:2]):
        numbers = [
            part.assign(is_gap=part["age"].isna()).fillna(
                {"age": train["age"].median()}
            )
            for part in (train[["age"]], frame[["age"]])
        ]
        of_train, of_frame = (part.to_numpy(float) for part in numbers)
        scaled = (of_frame - of_train.mean(axis=0)) / of_train.std(axis=0)
        words = pd.get_dummies(frame["animal"].astype(object).fillna("missing"))
        assert list(words) == ["cat", "dog", "missing"]
        np.testing.assert_allclose(matrix, np.hstack([scaled, words]), atol=1e-6)
    np.testing.assert_array_equal(of_matrices[2], of_frames[2])


def test_gaps_are_filled_for_models_that_want_none(generalisation, pets):
    class Model(BaseEstimator):
        def fit(self, X, y):
            self.X_ = X
            return self

    X, y = generalisation.suite.load("pets")
    peers = generalisation.peers
    of_words = peers.WITH_A_WORD_FOR_GAPS(Model()).fit(X, y)[-1].X_
    pd.testing.assert_series_equal(of_words["age"], pets["age"])
    of_all = peers.WITHOUT_GAPS(Model()).fit(X, y)[-1].X_
    filled = pets["age"].fillna(np.nanmedian(pets["age"]))
    pd.testing.assert_series_equal(of_all["age"], filled)
    assert of_all["missingindicator_age"].tolist() == pets["age"].isna().tolist()
    for found in (of_words, of_all):
        assert found["animal"].tolist() == pets["animal"].fillna("missing").tolist()


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # of probmetrics' own imports
def test_a_temperature_undoes_overconfidence(generalisation):
    pytest.importorskip("probmetrics")

    class Overconfident(BaseEstimator):
        def fit(self, X, y, X_val, y_val):
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return special.softmax(4 * X, axis=1)

    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    true = special.softmax(X, axis=1)
    # A class that is not its column, as where training rows lack classes.
    y = 2 * (rng.random((len(X), 1)) > true.cumsum(axis=1)).sum(axis=1)
    scaled = generalisation.peers.TemperatureScaled(Overconfident(), 0).fit(X, y)
    # Unscaled, they are off by 0.18. The temperature of 4,000 rows has a standard error
    # of about 3 %, which changes them by 0.003 on average: the bound is at four of it.
    assert np.abs(scaled.predict_proba(X) - true).mean() < 0.012
    assert scaled.classes_.tolist() == [0, 2, 4]


def test_what_is_left_out(generalisation, monkeypatch, capsys):
    peers = generalisation.peers
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    models = generalisation.arguments(["--models", "mlp", "catboost", "linear"]).models
    assert models == ["mlp", "linear"]
    assert capsys.readouterr().out == "CatBoost is left out: pip install catboost\n"
    frames = ["--inputs", "frames", "--models", "mlp", "linear"]
    assert generalisation.arguments(frames).models == ["mlp"]
    assert "pip install skrub" in capsys.readouterr().out
    assert "mlp-cv-skrub" not in generalisation.arguments([]).models


@needs_linear
def test_it_runs_and_goes_on(generalisation, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    options = ["--data", "breast_cancer", "diabetes", "--rows", "120"]
    options += ["--repeats", "1", "--out", str(out)]
    models = ["linear", "boosting"]
    generalisation.main([*options, "--models", *models])
    capsys.readouterr()
    generalisation.main([*options, "--models", *models, "mlp"])
    printed = capsys.readouterr().out
    assert "4 fits were known before" in printed
    for title in ("error, 1 data sets", "log loss, 1 data sets", "1 - R2, 1 data sets"):
        assert title in printed
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["model"] for row in rows] == [*models, *models, "mlp", "mlp"]
    assert {row["train_rows"] for row in rows} == {90}
    assert all("failure" not in row for row in rows)


@needs_linear
def test_it_runs_on_frames(generalisation, pets, tmp_path, capsys):
    pytest.importorskip("skrub")
    out = tmp_path / "rows.jsonl"
    options = ["--data", "pets", "--repeats", "1", "--out", str(out)]
    models = ["--models", "linear", "boosting", "mlp-cv-skrub"]
    generalisation.main([*options, *models, "--inputs", "frames"])
    printed = capsys.readouterr().out
    assert "MLPCV behind skrub is worse than linear by more than 1% on" in printed
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["columns"] for row in rows} == {2}
    # Without inputs it would be more than 0.6, the entropy of the classes.
    assert all(row["log loss"] < 0.5 for row in rows)
    # Rows of frames are not those of matrices.
    generalisation.main([*options, "--models", "linear"])
    assert "0 fits were known before" in capsys.readouterr().out
