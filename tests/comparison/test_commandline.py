"""The command line: its report, its files and its errors."""

import errno
import html
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from _comparisons import make_result

import skreg
from skreg import MLPRegressorCV
from skreg.comparison.commandline import _print_report, main
from skreg.comparison.contenders import contenders
from skreg.comparison.datasets import load_table

QUICK = ["--cv", "2", "--repeats", "1", "--n-candidates", "2"]
FILES = ("comparison.json", "comparison.csv", "report.html")
NAMES = {
    "classification": ["LogisticRegressionCV", "default network", "tuned network"],
    "regression": ["RidgeCV", "default network", "tuned network"],
}


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Fit in this process, because starting others takes longer than these fits."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


@pytest.fixture
def mixed_table(tmp_path):
    """Write a CSV file with text, dates and missing values, and a number to predict."""
    rng = np.random.default_rng(0)
    n = 60
    size = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "colour": rng.choice(["red", "green", "blue", None], n),
            "sold": pd.date_range("2020-01-01", periods=n, freq="9D").astype(str),
            "price": 3 * size + rng.normal(size=n),
        }
    )
    path = tmp_path / "houses.csv"
    frame.to_csv(path, index=False)
    return path


def run(capsys, *arguments):
    """Run the command line and return its exit code, output and errors."""
    code = main(list(map(str, arguments)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_compare_reports_and_writes(capsys, tmp_path):
    folder = tmp_path / "new" / "folder"
    code, out, err = run(capsys, "compare", "iris", *QUICK, "--output", folder)

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        "iris: 150 rows, 4 columns; classification of 'target'; 1 x 2-fold"
        " cross-validation, seed 0"
    )
    assert lines[1].split("  ")[0] == "model"
    assert [line.split("  ")[0] for line in lines[3:6]] == NAMES["classification"]
    assert lines[-1].startswith("Cannot tell on iris: ")
    assert "2 folds are too few for a test" in lines[-1]
    assert lines[-1].endswith(".")
    assert [line.count("too few splits") for line in lines[3:6]] == [0, 1, 1]
    # Once in the notes, and once in the answer.
    assert out.count("sure") == 2

    content = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert list(content["estimators"]) == NAMES["classification"]
    assert content["answer"] == lines[-1]
    for name in NAMES["classification"]:
        assert len(content["estimators"][name]["scores"]) == 2
    tuned = content["estimators"]["tuned network"]["chosen"]
    assert "l2" in tuned[0]
    certainties = content["estimators"]["tuned network"]["certainties"]
    assert [each["name"] for each in certainties] == list(tuned[0])
    assert all(each["n_splits"] == 2 for each in certainties)
    assert len(content["estimators"]["tuned network"]["margins"]) == 2
    assert len(content["notes"]) == 2
    assert all(note in " ".join(out.split()) for note in content["notes"])
    assert content["notes"][0].startswith("tuned network: ")
    assert content["budget"] is None

    page = (folder / "report.html").read_text(encoding="utf-8")
    assert html.escape(lines[-1]) in page
    assert all(f"<td>{name}</td>" in page for name in NAMES["classification"])
    # The differences, the settings, and the training of both networks.
    assert page.count("<img") == 4

    frame = pd.read_csv(folder / "comparison.csv", index_col="estimator")
    for name in NAMES["classification"]:
        scores = content["estimators"][name]["scores"]
        assert frame.loc[name, "mean"] == pytest.approx(np.mean(scores))


def test_compare_prepares_a_mixed_file(capsys, mixed_table):
    code, out, err = run(capsys, "compare", mixed_table, *QUICK, "--scoring", "r2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("houses.csv: 60 rows, 3 columns; regression of 'price'")
    assert [line.split("  ")[0] for line in lines[3:6]] == NAMES["regression"]


@pytest.fixture
def guessed_table(tmp_path):
    """Write a file with names like markup, whose columns are not what they seem."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=60)
    frame = pd.DataFrame(
        {
            "Id": np.arange(60),
            "[red]price": [f"${each:,.2f}" for each in 1e4 * size],
            "zip": rng.integers(10, 30, 60),
            "colour": rng.choice(["[b]", "green :smile:", "blue"], 60),
            "[bold]y": np.where(size > 0, "[i]yes", "[/]no"),
        }
    )
    path = tmp_path / "x[bold]y[red].csv"
    frame.to_csv(path, index=False, sep=";")
    return path


def test_guesses_are_listed(capsys, guessed_table, tmp_path):
    code, out, err = run(
        *(capsys, "compare", guessed_table, *QUICK, "--output", tmp_path / "out"),
        *("--role", "zip=text", "--task", "classification"),
    )
    assert (code, err) == (0, "")
    assert out.startswith("x[bold]y[red].csv: 60 rows, 3 columns; classification")
    guesses = [
        "file: columns are separated by semicolons",
        "target: '[bold]y' (classification, as given by --task)",
        "categories: 'zip', 'colour'",
        "number: '[red]price' (with thousands separators, in $)",
        "left out: 'Id' (a row number: it counts from 0 to 59 in the file's order)",
    ]
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    for line in guesses:
        assert f"\n{line}\n" in out
        assert f"<li>{html.escape(line)}</li>" in page
    # The program in the report reads the same table.
    assert (
        f"load_table({str(guessed_table)!r}, task='classification',"
        " roles={'zip': 'text'})"
    ) in html.unescape(page)
    content = json.loads((tmp_path / "out/comparison.json").read_text(encoding="utf-8"))
    assert content["file_notes"] == ["columns are separated by semicolons"]
    assert {column["name"]: column["role"] for column in content["columns"]} == {
        "[bold]y": "target",
        "Id": "left out",
        "[red]price": "number",
        "zip": "category",
        "colour": "category",
    }


def test_names_are_never_markup(capsys, guessed_table, monkeypatch):
    """On a terminal, rich takes words in brackets as styles."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = run(capsys, "compare", guessed_table, *QUICK)
    assert code == 0
    # In the description and in the answer.
    assert out.count("x[bold]y[red].csv") == 2
    for name in ("'[bold]y'", "'[red]price'"):
        assert name in out


def test_seed_decides_the_scores(capsys, tmp_path):
    def scores(seed, folder):
        run(capsys, "compare", "iris", *QUICK, "--seed", seed, "--output", folder)
        content = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
        return [entry["scores"] for entry in content["estimators"].values()]

    first = scores(1, tmp_path / "a")
    assert first == scores(1, tmp_path / "b")
    assert first != scores(2, tmp_path / "c")


def test_terminal_gets_a_progress_bar_and_a_drawn_table(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = run(capsys, "compare", "iris", *QUICK)
    assert code == 0
    assert "\nLogisticRegressionCV  " in out
    assert "\x1b[1m" in out
    assert "100%" in err


def test_names_are_no_markup_on_a_terminal(capsys, monkeypatch, tmp_path):
    """Of files, in the answer, and of chosen values, in the table."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    path = tmp_path / "x[bold]y[red] :smile:.csv"
    write_csv(path)
    code, out, _ = run(capsys, "compare", path, *QUICK)
    assert code == 0
    assert out.count(path.name) == 2  # in the first line and in the answer
    scores = {"a": [0.1, 0.2], "b": [0.2, 0.3]}
    value = "[bold]u[/] :smile:"
    chosen = {"b": [{"[x]v": value}] * 2}
    result = make_result(scores, chosen, baseline="a")
    _print_report(result, "yes", [], [])
    assert f"[x]v={value}" in " ".join(capsys.readouterr().out.split())


def test_baseline_comes_first_and_the_tuned_network_tunes_itself():
    table = load_table("diabetes")
    made = contenders(table, scoring=None, n_candidates=3, seed=4)
    assert list(made) == NAMES["regression"]
    tuned = made["tuned network"].steps[-1][1]
    expected = MLPRegressorCV(n_candidates=3, random_state=4)
    assert repr(tuned) == repr(expected)
    assert repr(made["default network"].steps[-1][1]) == "MLPRegressor(random_state=4)"


def test_a_score_is_what_all_are_tuned_for():
    made = contenders(load_table("iris"), scoring="f1_macro", n_candidates=3, seed=0)
    baseline = made["LogisticRegressionCV"].steps[-1][1]
    inner = getattr(baseline, "steps", [(None, baseline)])[-1][1]
    tuned = made["tuned network"].steps[-1][1]
    assert inner.scoring.scoring == tuned.scoring == "f1_macro"
    assert inner.cv.n_splits == 5


# errors


def write_csv(path, **columns):
    """Write a table of 40 rows with the given columns beside two ordinary ones."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(size=40), "result": np.arange(40) % 2})
    frame.assign(**columns).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("columns", "arguments", "match"),
    [
        ({}, ["--target", "resutl"], "no column 'resutl'; did you mean 'result'?"),
        ({"result": 1}, [], "target 'result' is constant: every row is 1"),
        ({"result": [None] + [0, 1, 1] * 13}, [], "'result' has 1 missing values"),
        (
            {"age": None, "result": [0, 1] * 20},
            [],
            "data.csv has no inputs .* 'age' (it is empty)",
        ),
        ({}, ["--task", "regression", "--role", "result=text"], "holds texts, such as"),
        ({}, ["--role", "agee=text"], "no column 'agee'; did you mean 'age'?"),
        (
            {"result": [2.0] * 8 + [0, 1] * 16},
            ["--cv", "2"],
            "class 2 of 'result' has only 8 .* --task regression",
        ),
        ({"result": ["c"] * 3 + ["a", "b"] * 18 + ["a"]}, [], "class c of 'result'"),
        ({}, ["--cv", "25"], "25 folds need at least 25 of each class"),
        ({}, ["--scoring", "acuracy"], "scoring='acuracy' .* did you mean 'accuracy'?"),
        (
            {"result": ["a", "b", "c"] * 13 + ["a"]},
            ["--scoring", "roc_auc", *QUICK],
            "scoring='roc_auc' is for two classes, and the target has 3; use"
            " 'roc_auc_ovo', 'roc_auc_ovo_weighted', 'roc_auc_ovr' or",
        ),
    ],
)
def test_unusable_data(columns, arguments, match, tmp_path, capsys):
    path = tmp_path / "data.csv"
    write_csv(path, **columns)
    assert_one_line_error(run(capsys, "compare", path, *arguments), match)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["nowhere.csv"], "file 'nowhere.csv' does not exist"),
        (["brest_cancer"], "called 'brest_cancer'; did you mean 'breast_cancer'?"),
        ([__file__], "test_commandline.py' is not a file of a supported type"),
        (["iris", "--output", __file__], "must be a folder"),
    ],
)
def test_unusable_files(arguments, match, capsys):
    assert_one_line_error(run(capsys, "compare", *arguments), match)


def assert_one_line_error(outcome, match):
    """Check for exit code 2 and a one-line error that contains the parts of `match`."""
    code, _, err = outcome
    assert code == 2
    assert err.startswith("skreg: error: ")
    assert err.count("\n") == 1
    for part in match.split(" .* "):
        assert part in err


def test_an_output_folder_below_a_file(capsys, tmp_path):
    (tmp_path / "notes").write_text("mine")
    outcome = run(capsys, "compare", "iris", "--output", tmp_path / "notes" / "a")
    assert_one_line_error(outcome, "--output must be a folder .* lies in a file")


@pytest.mark.parametrize("name", [None, *FILES])
def test_output_that_cannot_be_written_is_noticed_first(
    name, capsys, tmp_path, monkeypatch
):
    """Before the table is read, and without a change of what is there."""
    monkeypatch.setattr("skreg.comparison.commandline.load_table", None)
    if name is None:

        def refuse(dir):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

        # A real read-only file system needs rights that tests do not have.
        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    else:
        (tmp_path / name).mkdir()
    outcome = run(capsys, "compare", "iris", "--output", tmp_path)
    assert_one_line_error(outcome, f"--output {str(tmp_path)!r} cannot be written to")
    assert [path.name for path in tmp_path.iterdir()] == [name][: name is not None]


def test_earlier_output_is_kept_until_there_is_new(capsys, tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("earlier")
    code, _, _ = run(capsys, "compare", "nowhere.csv", "--output", tmp_path)
    assert code == 2
    assert {
        path.name: path.read_text() for path in tmp_path.iterdir()
    } == dict.fromkeys(FILES, "earlier")


def test_an_unexpected_error_is_one_line(capsys, monkeypatch):
    def fail(*args, **kwargs):
        error = AttributeError("no\nsuch thing")
        error.add_note("raised by a test")
        raise error

    monkeypatch.setattr("skreg.comparison.commandline.compare", fail)
    code, _, err = run(capsys, "compare", "iris")
    assert code == 1
    assert err == (
        "skreg: unexpected error: AttributeError: no such thing (raised by a test);"
        " run again with --debug for the traceback\n"
    )
    with pytest.raises(AttributeError):
        main(["compare", "iris", "--debug"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cv", "1"],
        ["--repeats", "0"],
        ["--n-candidates", "many"],
        ["--seed", "-1"],
        ["--role", "age"],
        ["--role", "age=numeric"],
        ["--task", "clustering"],
    ],
)
def test_bad_numbers(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "iris", *arguments])
    assert f"argument {arguments[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["pandas", "rich", "skrub"])
def test_missing_extra(package, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    outcome = run(capsys, "compare", "iris")
    assert_one_line_error(outcome, f"needs {package}: pip install skreg[cli]")


def test_no_command_shows_the_help(capsys):
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert err.startswith("usage: python -m skreg")


def test_interrupt_ends_without_a_traceback(monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skreg.comparison.commandline.compare", interrupt)
    code, _, err = run(capsys, "compare", "iris")
    assert (code, err) == (130, "skreg: interrupted\n")


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == skreg.__version__


def test_as_a_process():
    outcome = subprocess.run(
        [sys.executable, "-m", "skreg", "compare", "nowhere.csv"],
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr == "skreg: error: file 'nowhere.csv' does not exist\n"
