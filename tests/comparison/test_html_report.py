"""The page of a comparison is valid and self-contained, and its code runs."""

import base64
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor, compare
from skreg.comparison.contenders import contenders
from skreg.comparison.datasets import load_table
from skreg.comparison.html_report import html_report, model_codes
from skreg.comparison.text_report import comparison_table

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
SETTINGS = "Settings tried"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Parses a page, and fails if an element is not closed in its place."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_decl(self, decl):
        assert decl == "DOCTYPE html" and not self.elements

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and data.strip():
            self.texts.append((self.stack[-1], data))

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text_of(self, tag):
        return [text for name, text in self.texts if name == tag]


@pytest.fixture(scope="module")
def result():
    models = {"base <&>": DummyClassifier(), "bayes": GaussianNB()}
    return compare(models, X, Y, random_state=0)


@pytest.fixture(scope="module")
def fitted():
    network = MLPClassifier((3,), max_iter=3, random_state=0)
    search = GridSearchCV(network, {"l2": [0.0, 1e-3, 0.1]}, cv=2)
    return {
        "default": make_pipeline(StandardScaler(), network).fit(X, Y),
        "tuned": make_pipeline(StandardScaler(), search).fit(X, Y),
    }


def page_of(result, **options):
    options = {"title": "iris", "legend": "p: of a test\nq: not"} | options
    return html_report(result, "Yes: 1 < 2 & so on.", **options)


def pictures(page):
    """Return the parsed pictures of a page, by their alternative texts."""
    found = {}
    for image in page.of("img"):
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        found[image["alt"]] = ET.fromstring(base64.b64decode(data))
    return found


def test_the_page_is_valid_and_says_what_it_is_given(result):
    page = Page(page_of(result, description="150 rows <b>"))
    assert page.of("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.of("meta")
    assert any("width=device-width" in m.get("content", "") for m in page.of("meta"))
    assert page.text_of("title") == page.text_of("h1") == ["iris"]
    paragraphs = page.text_of("p")
    assert paragraphs[:2] == ["150 rows <b>", "Yes: 1 < 2 & so on."]
    assert {"p: of a test", "q: not"} <= set(paragraphs)
    assert not page.of("b")


def test_the_table_is_that_of_the_comparison(result):
    page = Page(page_of(result))
    headers, rows = comparison_table(result)
    assert page.text_of("th") == headers
    assert page.text_of("td") == [cell for row in rows for cell in row if cell]


def test_nothing_is_loaded_from_elsewhere(result, fitted):
    text = page_of(result, fitted=fitted, codes={"Made by:": "x = 1"})
    page = Page(text)
    assert not {"script", "link", "iframe", "a"} & {tag for tag, _ in page.elements}
    assert not re.search(r"url\(|@import|https?:", text)
    for tag, attributes in page.elements:
        if tag != "img":
            assert not {"src", "href"} & attributes.keys()
    for picture in pictures(page).values():
        for element in picture.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith("#")


def test_light_and_dark_and_narrow(result):
    style = "".join(Page(page_of(result)).text_of("style"))
    assert "color-scheme: light dark" in style
    assert "prefers-color-scheme: dark" in style
    assert "overflow-x: auto" in style


def test_pictures_of_what_was_fitted(result, fitted):
    assert list(pictures(Page(page_of(result)))) == ["Differences"]
    page = Page(page_of(result, fitted=fitted))
    assert list(pictures(page)) == ["Differences", "Settings tried", "Training"]
    only = {"default": fitted["default"]}
    page = Page(page_of(result, fitted=only))
    assert list(pictures(page)) == ["Differences", "Training"]
    # One that is no network has no curves.
    page = Page(page_of(result, fitted={"bayes": GaussianNB().fit(X, Y)}))
    assert list(pictures(page)) == ["Differences"]


def test_the_same_page_again(result, fitted):
    first, second = (page_of(result, fitted=fitted, codes={"": "x"}) for _ in range(2))
    assert first == second


def test_without_matplotlib_the_page_says_how_to_get_pictures(
    result, fitted, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(page_of(result, fitted=fitted, codes={"Made by:": "x = 1"}))
    assert not page.of("img")
    assert "pip install 'skreg[plot]'" in page.text_of("code")
    assert "x = 1" in page.text_of("code")


def test_no_figure_of_pyplot_is_left(result, fitted):
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    page_of(result, fitted=fitted)
    assert plt.get_fignums() == before


# the code


def run(code):
    space = {}
    exec(compile(code, "report", "exec"), space)
    return space["model"]


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_the_code_makes_the_network_again(data, result):
    table = load_table(data)
    made = contenders(table, scoring=None, n_candidates=2, seed=1)["default network"]
    made.steps[-1][1].set_params(max_iter=4)
    made.fit(table.X, table.y)
    (again,) = run_shown(made, data, result)
    assert again.steps[-1][1].get_params() == made.steps[-1][1].get_params()
    np.testing.assert_allclose(again.predict(table.X), made.predict(table.X))


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_the_code_makes_the_average_again_and_one_network_alone(data, result):
    table = load_table(data)
    made = contenders(table, scoring=None, n_candidates=3, seed=1)["tuned network"]
    tuned = made.steps[-1][1].set_params(cv=2, n_ensemble=2, max_time=500.0)
    made.fit(table.X, table.y)
    again, alone = run_shown(made, data, result)
    expected = tuned.get_params() | {"max_time": None}
    assert again.steps[-1][1].get_params() == expected
    np.testing.assert_allclose(again.predict(table.X), made.predict(table.X))

    network = alone.steps[-1][1]
    assert isinstance(network, MLPClassifier | MLPRegressor)
    params = network.get_params()
    assert {name: params[name] for name in tuned.best_params_} == tuned.best_params_
    assert params["random_state"] == 1
    fixed = {"hidden_layer_sizes": (64, 64), "skip": "linear", "early_stopping": True}
    assert {name: params[name] for name in fixed} == {
        name: tuned.best_params_.get(name, value) for name, value in fixed.items()
    }


def run_shown(made, data, result):
    """Run the programs of a page and return their models."""
    page = Page(page_of(result, codes=model_codes(made, data)))
    return [run(shown) for shown in page.text_of("code")]


def run_only(made, *data):
    (code,) = model_codes(made, *data).values()
    return run(code), code


def test_pictures_of_an_average_show_its_best_setting_on_each_fold(result):
    search = MLPClassifierCV(n_candidates=4, cv=2, n_ensemble=2, random_state=0)
    fitted = {"tuned": make_pipeline(StandardScaler(), search).fit(X, Y)}
    found = pictures(Page(page_of(result, fitted=fitted)))
    assert list(found) == ["Differences", "Settings tried", "Training of the tuned"]


@pytest.mark.parametrize("scoring", [None, "accuracy", "f1_macro"])
def test_the_picture_of_the_settings_names_its_score(result, scoring):
    """Which may be another one than that of the table."""
    search = MLPClassifierCV(n_candidates=2, cv=2, scoring=scoring, random_state=0)
    text = page_of(result, fitted={"tuned": search.fit(X, Y)})
    name = scoring or "negative log loss"
    assert f"It shows the mean {name} and the standard deviation" in text
    other = " The table above shows another score, accuracy."
    assert (other in text) == (name != "accuracy")
    # The label of its axis: text is drawn as paths, with a comment that holds it.
    image = next(each for each in Page(text).of("img") if each["alt"] == SETTINGS)
    svg = base64.b64decode(image["src"].partition(",")[2]).decode()
    assert f"<!-- {name} -->" in svg


def test_what_was_chosen_is_a_table(result):
    chosen = {"base <&>": [{}] * 10}
    chosen["bayes"] = [{"l2": 0.5, "kind": "a"}] * 9 + [{"l2": 0.001, "kind": None}]
    chosen = replace(result, chosen=chosen)
    page = Page(page_of(chosen, notes=["a note"]))
    cells = page.text_of("td")
    first = cells.index("l2")
    assert cells[first : first + 6] == [
        *("l2", "10 of 10", "0.5", "0.001", "0.5", "not on the value")
    ]
    assert cells[first + 6 :] == ["kind", "9 of 10", "a (9)", "yes"]
    assert "a note" in page.text_of("p")


def test_the_code_reads_files(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"it's": rng.normal(size=60), "b": rng.choice(["u", "v"], 60)})
    path = tmp_path / "some data.csv"
    frame.to_csv(path, index=False)
    table = load_table(path, "it's")
    made = contenders(table, scoring=None, n_candidates=1, seed=0)
    made = made["default network"].set_params(mlpregressor__max_iter=2)
    made.fit(table.X, table.y)
    again, _ = run_only(made, path, "it's")
    np.testing.assert_array_equal(again.predict(table.X), made.predict(table.X))


def test_settings_are_written_as_they_are():
    network = MLPClassifier(
        (5, 4), l1=np.float64(0.1) / 3, activation="tanh", batchnorm=True, max_iter=2
    )
    _, code = run_only(make_pipeline(clone(network)).fit(X, Y), "iris")
    assert f"    l1={0.1 / 3!r}," in code and "float64" not in code
    assert "    hidden_layer_sizes=(5, 4)," in code
    assert "dropout" not in code


def test_what_holds_no_network_is_written_itself():
    """As an estimator that averages the networks of its folds."""
    inner = make_pipeline(BaggingClassifier(LogisticRegression(C=2.0), random_state=3))
    again, code = run_only(inner.fit(X, Y), "iris")
    assert "        C=2.0,\n    ),\n    random_state=3,\n))" in code
    assert "from sklearn.linear_model import LogisticRegression" in code
    assert repr(again.steps[-1][1]) == repr(inner.steps[-1][1])
