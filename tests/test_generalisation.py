"""The benchmark of public tables: its arithmetic, a run, and a continued run."""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skreg.compatibility import SKLEARN

FOLDER = Path(__file__).parents[1] / "examples" / "benchmarks"


@pytest.fixture
def generalisation(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("generalisation")


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
    table, n_data = generalisation.summary(rows, "error")
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


def test_log_loss_of_classes_that_training_lacks(generalisation):
    class Model:
        classes_ = np.array([0, 2])

        def predict_proba(self, X):
            return np.array([[0.25, 0.75], [1.0, 0.0]])

    found = generalisation.scores(Model(), np.zeros((2, 1)), np.array([2, 0]), 3)
    assert found["error"] == 0
    # A probability of 1e-7 is the least, and rows sum to one again.
    assert found["log loss"] == pytest.approx(-np.log(0.75) / 2, abs=1e-6)


@pytest.mark.skipif(
    SKLEARN < (1, 8), reason="it has LogisticRegressionCV as of scikit-learn 1.8"
)
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
