"""load_table: bundled data sets, files, targets and errors."""

import numpy as np
import pandas as pd
import pytest

from skreg.comparison.datasets import DataError, Table, load_table

N = 40


@pytest.fixture
def frame():
    """Return a table with columns of all types, whose last column has plain labels."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": rng.normal(size=N),
            "text number": [f"{i}.5" for i in range(N)],
            "date": pd.date_range("2020-01-01", periods=N).astype(str),
            "category": rng.choice(["red", "green", None], N),
            "outcome": np.tile(["good", "bad"], N // 2),
        }
    )


@pytest.fixture
def write(tmp_path):
    """Write a table to a file of a type and return its path."""

    def write_file(frame, suffix=".csv"):
        path = tmp_path / f"data{suffix}"
        if ".csv" in suffix.lower():
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path)
        return path

    return write_file


@pytest.mark.parametrize(
    ("name", "shape", "task"),
    [
        ("breast_cancer", (569, 30), "classification"),
        ("diabetes", (442, 10), "regression"),
        ("digits", (1797, 64), "classification"),
        ("iris", (150, 4), "classification"),
        ("wine", (178, 13), "classification"),
    ],
)
def test_bundled(name, shape, task):
    table = load_table(name)
    assert (table.name, table.target, table.task) == (name, "target", task)
    assert table.X.shape == shape
    assert table.y.shape == shape[:1]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".csv.gz", ".parquet", ".pq"])
def test_files(suffix, frame, write):
    table = load_table(write(frame, suffix))
    assert table.name == f"data{suffix}"
    assert table.target == "outcome"
    assert table.task == "classification"
    assert table.X.columns.tolist() == frame.columns.tolist()[:-1]
    assert table.y.tolist() == frame["outcome"].tolist()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a", "target", "class"], "target"),
        (["y", "label", "a"], "label"),
        (["Class", "y", "a"], "Class"),
        (["Y", "a", "b"], "Y"),
        (["a", "b", "last"], "last"),
    ],
)
def test_default_target(columns, expected, write):
    values = np.random.default_rng(0).integers(0, 2, size=(N, 3))
    table = load_table(write(pd.DataFrame(values, columns=columns)))
    assert table.target == expected
    assert load_table(write(pd.DataFrame(values, columns=columns)), "a").target == "a"


def test_column_names_need_not_be_text(write):
    frame = pd.DataFrame({2020: np.arange(N) % 7, 2021: np.arange(N) % 2})
    table = load_table(write(frame, ".parquet"))
    assert (table.X.columns.tolist(), table.target) == (["2020"], "2021")


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (np.arange(N) % 2, "classification"),
        (np.arange(N) == 0, "classification"),
        (np.arange(N) // 39, "classification"),
        (np.arange(N) % 5 - 1.0, "classification"),
        (np.arange(N) % 5 - 2, "regression"),
        (np.arange(N) % 2 * 9 - 7, "classification"),
        (np.arange(N) % 6, "regression"),
        (np.arange(N) % 9, "regression"),
        (np.maximum(np.arange(N) % 4, np.arange(N) - 35), "regression"),
        (np.arange(N) / 3, "regression"),
        (pd.array(np.arange(N) % 2, dtype="Int64"), "classification"),
        (pd.Categorical(np.arange(N) % 2), "classification"),
        (np.array(["a", "b"] * (N // 2)), "classification"),
    ],
)
def test_task(values, task, frame, write):
    table = load_table(write(frame.assign(outcome=values), ".parquet"))
    assert table.task == task
    assert table.y.dtype.kind in "ifbO"
    assert len(np.unique(table.y)) == len(set(values))


def test_at_most_twenty_whole_numbers_are_classes(write):
    for n_values, task in [(20, "classification"), (21, "regression")]:
        target = np.arange(420) % n_values
        frame = pd.DataFrame({"x": np.arange(420.0), "target": target})
        table = load_table(write(frame))
        assert table.task == task
        other = {"regression", "classification"} - {task}
        assert f"--task {other.pop()}" in table.columns[0].reason


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda f: f.assign(outcome="good"),
            "'outcome' is constant: every row is good",
        ),
        (
            lambda f: f.assign(outcome=f["outcome"].where(f["number"] > 0)),
            r"'outcome' has \d+ missing values of 40",
        ),
        (
            lambda f: f.assign(outcome=np.where(f["number"] > 0, np.inf, 1)),
            "'outcome' has infinite values",
        ),
        (
            lambda f: f.assign(outcome=pd.to_datetime(f["date"])),
            "'outcome' is a date: expected numbers or classes",
        ),
        (
            lambda f: f.assign(number=[[1, 2]] * N),
            "column 'number' holds lists: spread them over several columns",
        ),
        (
            lambda f: f.assign(number=[{"a": 1}] * N),
            "column 'number' holds structures: spread them",
        ),
        (lambda f: f.assign(number=[b"a"] * N), "column 'number' holds bytes"),
        (
            lambda f: f.assign(number=f["number"] * 1e300),
            r"column 'number' has values of .*e\+300: remove them, or use another unit",
        ),
        (
            lambda f: f.assign(outcome=f["number"] * 1e-300),
            r"target 'outcome' has values of .*e-300: use another unit",
        ),
        (lambda f: f[["outcome"]], "40 rows and 1 columns, expected at least two"),
        (lambda f: f.iloc[:0], "0 rows and 5 columns, expected at least two"),
    ],
)
def test_refused_tables(change, match, frame, write):
    with pytest.raises(DataError, match=match):
        load_table(write(change(frame), ".parquet"))


def test_unknown_target(frame, write):
    with pytest.raises(DataError, match="no column 'outcmoe'; did you mean 'outcome'"):
        load_table(write(frame), "outcmoe")


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("nowhere.csv", "file 'nowhere.csv' does not exist"),
        ("brest_cancer", "called 'brest_cancer'; did you mean 'breast_cancer'"),
        ("mnist", "called 'mnist'; expected one of 'breast_cancer', 'diabetes'"),
    ],
)
def test_unknown_source(source, match):
    with pytest.raises(DataError, match=match):
        load_table(source)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.py", b"a,b\n1,2\n", "a.py' is not a file of a supported type"),
        ("a.csv", b"", "a.csv' cannot be read: it holds no table"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "a.csv' cannot be read: a line has more than"),
        ("a.csv", b"\xff\xfe,b\n1,2\n", "a.csv' cannot be read: 'utf-16"),
        ("a.csv.gz", b"\x1f\x8b,b\n", "a.csv.gz' cannot be read: "),
        ("a.zip", b"PK\x03\x04", "a.zip' cannot be read: File is not a zip file"),
        ("a.parquet", b"PAR1" * 20, "a.parquet' cannot be read: .*Parquet"),
        (
            "a.csv",
            b"\xd0\xcf\x11\xe0",
            "a.csv' cannot be read: it is an old Excel file",
        ),
    ],
)
def test_broken_files(name, content, match, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as caught:
        load_table(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match="not a file of a supported type"):
        load_table(tmp_path)


def test_names_that_control_a_terminal_are_escaped(tmp_path, frame):
    path = tmp_path / "a\x1b[31m\nb.csv"
    frame.to_csv(path, index=False)
    assert load_table(path).name == r"a\x1b[31m\nb.csv"


def test_a_task_overrules_the_rule(write):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=N), "target": np.arange(N) % 2})
    table = load_table(write(frame), task="regression")
    assert (table.task, table.y.dtype.kind) == ("regression", "i")
    assert table.columns[0].reason == "regression, as given by --task"
    frame["target"] = np.arange(N) % 4 / 2
    table = load_table(write(frame), task="classification")
    assert table.task == "classification"
    assert set(table.y) == {"0.0", "0.5", "1.0", "1.5"}
    frame["target"] = np.arange(N) % 2 == 0
    assert load_table(write(frame), task="regression").y.dtype == float
    frame["target"] = ["a", "b"] * (N // 2)
    with pytest.raises(DataError, match="'target' holds texts, such as 'a'"):
        load_table(write(frame), task="regression")


def test_the_default_target_is_not_empty(write, frame):
    """Files with separators at the ends of lines have an empty last column."""
    assert load_table(write(frame.assign(rest=None))).target == "outcome"


@pytest.mark.parametrize(
    ("roles", "match"),
    [
        ({"nmber": "number"}, "roles: there is no column 'nmber'; did you mean"),
        ({"number": "numeric"}, "'number' must be one of number, date, text, out"),
        ({"category": "number"}, "column 'category' holds no numbers, such as '"),
        ({"category": "date"}, "column 'category' holds no dates, such as '"),
        ({"outcome": "out"}, "'outcome' is the target and cannot be left out"),
    ],
)
def test_roles_that_cannot_be(roles, match, write, frame):
    with pytest.raises(DataError, match=match):
        load_table(write(frame), roles=roles)


def test_no_inputs_are_left(write):
    frame = pd.DataFrame({"a": [None] * N, "n": np.arange(N), "y": np.arange(N) % 2})
    with pytest.raises(
        DataError, match=r"no inputs, .*'a' \(it is empty\), 'n' \(a row"
    ):
        load_table(write(frame))
    table = load_table(write(frame), roles={"n": "number"})
    assert table.X["n"].tolist() == list(range(N))


@pytest.mark.parametrize(
    ("rare", "n_folds", "n_inner_folds", "hint"),
    [
        (5, 5, 3, None),
        (8, 2, 3, None),
        (2, 2, 0, None),
        (4, 5, 3, "merge or remove"),
        (9, 10, 5, "use 9 folds, or merge or remove"),
        # Larger folds leave fewer rows to the inner ones.
        (7, 2, 3, "use 3 folds, or merge or remove"),
    ],
)
def test_check_folds_of_classes(rare, n_folds, n_inner_folds, hint):
    y = np.array(["common"] * 50 + ["rare"] * rare)
    table = Table("toy", None, y, "outcome", "classification")
    if hint is None:
        table.check_folds(n_folds, n_inner_folds)
        return
    match = f"class rare of 'outcome' has only {rare} of .* of each class: {hint}"
    with pytest.raises(DataError, match=match):
        table.check_folds(n_folds, n_inner_folds)


def test_check_folds_of_a_regression():
    table = Table("toy", None, np.arange(9.0), "outcome", "regression")
    table.check_folds(4, 3)
    with pytest.raises(DataError, match="9 rows, and 5 folds need at least 10: use 4"):
        table.check_folds(5, 3)
