"""The display of the progress of training."""

import io
import re
from types import SimpleNamespace
from unittest import mock

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

import skreg
import skreg.fusion.progress
from skreg.fusion.progress import Progress

X, y = load_iris(return_X_y=True)


def stack(*epochs):
    return [SimpleNamespace(max_iter=n) for n in epochs]


class View:
    """Records the displayed progress."""

    def __init__(self, *first):
        self.seen, self.is_closed = [first], False

    def update(self, *now):
        self.seen.append(now)

    def close(self):
        self.is_closed = True


def test_counts(monkeypatch):
    """Epochs of all models, and the models that still train."""
    monkeypatch.setattr(skreg.fusion.progress, "_make_view", View)
    first, second = stack(3, 3), stack(5)
    with Progress([first, second], True) as progress:
        view = progress._view
        watch = progress.watch(first)
        watch(2)  # an epoch of both
        watch(1)  # one has stopped
        progress.finish(first)
        watch = progress.watch(second)
        for _ in range(7):  # a polish goes on beyond the epochs
            watch(1)
        progress.finish(second)
    expected = [(11, 3), (2, 3), (3, 2), (6, 1)]
    expected += [(6 + min(n, 5), 1) for n in range(1, 8)] + [(11, 0)]
    assert view.seen == expected and view.is_closed


def test_nothing_is_shown_unless_asked():
    with Progress([stack(3)], False) as progress:
        assert progress.watch(stack(3)) is None
        progress.finish(stack(3))


def test_lines_without_rich(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "rich", None)
    monkeypatch.setitem(__import__("sys").modules, "rich.errors", None)
    monkeypatch.setattr(skreg.fusion.progress, "PAUSE", 0.0)
    with Progress([stack(2, 2)], True) as progress:
        progress.watch(stack(2, 2))(2)
        progress.finish(stack(2, 2))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "2 networks training, 2/4 epochs",
        "0 networks training, 4/4 epochs",
    ]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_bar_of_a_search():
    screen, network = io.StringIO(), skreg.MLPClassifier((3,), max_iter=4)
    with mock.patch("sys.stderr", screen), skreg.fused(progress=True):
        GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=3, refit=False).fit(X, y)
    shown = re.sub(r"\s+", " ", screen.getvalue())
    assert "0 networks training" in shown and "24/24 epochs" in shown
