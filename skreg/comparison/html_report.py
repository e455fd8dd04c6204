"""Comparison as a self-contained HTML file."""

import base64
import io
from html import escape
from inspect import signature

import numpy as np
from sklearn.base import clone

from skreg.comparison.text_report import comparison_table, format_number
from skreg.plotting.comparison import ComparisonDisplay
from skreg.plotting.curves import (
    LearningCurvesDisplay,
    find_network,
    find_networks,
)
from skreg.plotting.search import SearchDisplay, make_axes
from skreg.plotting.search_results import find_search, read_estimator
from skreg.version import __version__

_STYLE = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c1e21; --faint: #5c6370; --line: #d8dbe0;
  --box: #f4f5f7; --accent: #1f5fa8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181c; --text: #e6e8eb; --faint: #a0a7b2; --line: #3a3f47;
    --box: #22252b; --accent: #7fb2ee;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 58rem; padding: 1.5rem 1rem 3rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
.answer {
  margin: 1.2rem 0; padding: .8rem 1rem; font-size: 1.1rem;
  background: var(--box); border-left: 4px solid var(--accent);
}
.faint, figcaption { color: var(--faint); font-size: .9rem; }
.wide { overflow-x: auto; }
table + table { margin-top: 1.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid var(--line); white-space: nowrap; }
td { border-bottom: 1px solid var(--line); white-space: nowrap; }
td:last-child { white-space: normal; min-width: 14rem; }
figure { margin: 0; }
img {
  display: block; background: #ffffff; border-radius: 6px; padding: .4rem;
  width: 100%; height: auto;
}
pre {
  margin: 0; padding: .9rem 1rem; overflow-x: auto; background: var(--box);
  border-radius: 6px; font: .9rem/1.45 ui-monospace, monospace;
}
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .6rem; }
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="faint">{description}</p>
</header>
<main>
<p class="answer">{answer}</p>
<section>
<h2>Scores</h2>
<div class="wide">
{table}
</div>
{legend}
</section>
{choices}
{pictures}
{codes}
{guesses}
</main>
<footer class="faint"><p>{footer}</p></footer>
</body>
</html>
"""

_NO_PICTURES = (
    '<p class="faint">There are no pictures, because matplotlib is not installed. Run'
    " <code>pip install 'skreg[plot]'</code> and compare again.</p>"
)


def html_report(
    result,
    answer,
    *,
    title,
    description="",
    legend="",
    notes=(),
    guesses=(),
    fitted=None,
    codes=None,
):
    """Return a comparison as an HTML page without external resources.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    answer : str
        The sentence that answers the question in the title.
    title : str
        Heading of the page.
    description : str, default=""
        The data and the method of the comparison.
    legend : str, default=""
        Explanation of the columns of the table, in lines.
    notes : sequence of str, default=()
        Notes on the certainty of the choices and on the time.
    guesses : sequence of str, default=()
        What was guessed about the file and the roles of its columns.
    fitted : dict of str to estimator, default=None
        Estimators fitted on all rows, by name. Their learning curves are drawn, and
        the scores of the first search among them, alone or at the end of a pipeline.
    codes : dict of str to str, default=None
        Programs that fit the recommended model. The keys are explanations of the
        programs.

    Returns
    -------
    str
        The page. If matplotlib is not installed, it has no pictures, but a hint to
        install it.
    """
    return _PAGE.format(
        style=_STYLE,
        title=escape(title),
        description=escape(description),
        answer=escape(answer),
        table=_html_table(*comparison_table(result)),
        legend="\n".join(
            f'<p class="faint">{escape(line)}</p>' for line in legend.splitlines()
        ),
        choices=_choices(result, notes),
        pictures=_pictures(result, fitted or {}),
        codes=_section("The model", *map(_code_block, codes, codes.values()))
        if codes
        else "",
        guesses=_section("The columns", _list(guesses)) if guesses else "",
        footer=f"Made by skreg {__version__}.",
    )


def model_codes(estimator, data, target=None, **options):
    """Return programs that fit a network of the command line again.

    Parameters
    ----------
    estimator : estimator
        A fitted pipeline that ends in a network or in a search over networks.
    data : str
        Name or file of the data set.
    target : str, default=None
        Column to predict, if it was given.
    **options
        Other arguments of `load_table`. Those that are None are left out.

    Returns
    -------
    dict of str to str
        Programs that define the fitted `model`. The keys are explanations of the
        programs. For a search that averages networks there are two: one tunes the
        average again, and one fits a single network with the best settings.
    """
    options = {"target": target, **options}
    last = estimator.steps[-1][1]
    if not hasattr(last, "estimators_") or not hasattr(last, "best_params_"):
        try:
            last = find_network(estimator)
        except ValueError:  # without a network inside, the last step is shown
            pass
        return {_FITTED: _program(last, data, options)}
    codes = {_AVERAGED: _program(_without_limit(last), data, options)}
    return codes | {_ALONE: _program(_best_network(last), data, options)}


_FITTED = (
    "Fitted on all rows. A search may choose other settings on all rows than in most of"
    " the folds:"
)
_AVERAGED = (
    "The average of the networks of all folds with the best settings, tuned on all"
    " rows. The best settings on all rows may differ from those in most of the"
    " comparison's folds:"
)
_ALONE = "A single network with the settings that were best on all rows:"


def _without_limit(search):
    """Remove the time limit. The result is the same unless it was reached."""
    return clone(search).set_params(max_time=None)


def _best_network(search):
    """Return a network with the best settings, and the seed of the search."""
    network = clone(search.estimators_[0])
    return network.set_params(**search.best_params_, random_state=search.random_state)


def _program(estimator, data, options):
    imports = {"from skreg.comparison import load_table"}
    expression = _expression(estimator, imports)
    given = [
        f"{name}={value!r}" for name, value in options.items() if value is not None
    ]
    arguments = ", ".join([repr(str(data)), *given])
    return "\n".join(
        [
            *sorted(imports),
            "",
            f"table = load_table({arguments})",
            f"model = table.pipeline({expression})",
            "model.fit(table.X, table.y)",
            "",
        ]
    )


def _expression(value, imports, indent=""):
    """Return the code of a value. Estimators show only non-default parameters.

    The imports that the code needs are added to `imports`.
    """
    if not hasattr(value, "get_params"):
        return repr(value.item() if isinstance(value, np.generic) else value)
    kind = type(value)
    imports.add(f"from {_home(kind)} import {kind.__name__}")
    defaults = signature(kind.__init__).parameters
    lines = [
        f"{indent}    {name}={_expression(each, imports, indent + '    ')},"
        for name, each in value.get_params(deep=False).items()
        if repr(each) != repr(defaults[name].default)
    ]
    if not lines:
        return f"{kind.__name__}()"
    return "\n".join([f"{kind.__name__}(", *lines, f"{indent})"])


def _home(kind):
    """Return the public module from which to import a class."""
    # skreg exports all of its own. Other libraries export the classes of a private
    # module from its package.
    if kind.__module__.startswith("skreg."):
        return "skreg"
    return kind.__module__.partition("._")[0]


def _html_table(headers, rows):
    lines = ["<table>", "<thead>", _row("th", headers), "</thead>", "<tbody>"]
    lines += [_row("td", row) for row in rows]
    return "\n".join([*lines, "</tbody>", "</table>"])


def _row(kind, cells):
    scope = ' scope="col"' if kind == "th" else ""
    inner = "".join(f"<{kind}{scope}>{escape(cell)}</{kind}>" for cell in cells)
    return f"<tr>{inner}</tr>"


def _section(heading, *content):
    inner = "\n".join(content)
    return f"<section>\n<h2>{escape(heading)}</h2>\n{inner}\n</section>"


def _list(lines):
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="wide">\n{items}\n</ul>'


def _code_block(explanation, code):
    return (
        f"<p>{escape(explanation)}</p>\n"
        f"<pre><code>{escape(code.strip(), quote=False)}</code></pre>"
    )


def _choices(result, notes):
    """Make the section on the certainty of the choices."""
    tables = [
        _choices_table(name, result.certainties(name))
        for name in result.scores
        if result.certainties(name)
    ]
    if not tables and not notes:
        return ""
    paragraphs = [f"<p>{escape(note)}</p>" for note in notes]
    tables = '<div class="wide">\n' + "\n".join(tables) + "\n</div>" if tables else ""
    return _section("Chosen settings and their certainty", *paragraphs, tables)


def _choices_table(name, certainties):
    headers = [name, "on in folds", "median", "lowest", "highest", "folds agree"]
    rows = [_choices_row(each) for each in certainties]
    return _html_table(headers, rows)


def _choices_row(certainty):
    name = certainty.name.rpartition("__")[-1]
    share = f"{certainty.n_on} of {certainty.n_splits}"
    if certainty.low is None:
        counts = [f"{value} ({n})" for value, n in certainty.values.items()]
        numbers = [", ".join(counts), "", ""]
    else:
        numbers = [certainty.median, certainty.low, certainty.high]
        numbers = [format_number(number) for number in numbers]
    return [name, share, *numbers, _agreement(certainty)]


def _agreement(certainty):
    """Describe whether the folds agree on a setting."""
    if certainty.has_too_few_splits:
        return "too few folds"
    if not certainty.is_sure:
        return "no"
    is_on = certainty.n_on > certainty.n_splits / 2
    return "not on the value" if is_on and not certainty.is_sure_of_strength else "yes"


def _pictures(result, fitted):
    try:
        import matplotlib
    except ImportError:
        return _NO_PICTURES
    # Without random ids, so that the same picture gives the same file.
    with matplotlib.rc_context({"svg.hashsalt": "skreg"}):
        sections = [_comparison_picture(result)]
        searches = [search for search in map(find_search, fitted.values()) if search]
        if searches:
            sections.append(_search_picture(searches[0], result.scoring))
        sections.append(_curves_pictures(fitted))
    return "\n".join(filter(None, sections))


def _comparison_picture(result):
    n_compared = len(result.scores) - 1
    display = ComparisonDisplay.from_result(
        result, ax=_new_axes(5.6, 1.5 + 0.7 * n_compared)
    )
    caption = (
        f"An estimator to the right of the line is better than {result.baseline}. The"
        " interval is corrected for the overlap of the training rows between splits."
    )
    return _section("Differences", _figure(display.figure_, "Differences", caption))


def _search_picture(search, scoring):
    from matplotlib.figure import Figure

    display = SearchDisplay(*read_estimator(search))
    n_panels = len(display.values)
    axes = make_axes(n_panels, Figure(), n_columns=2 if n_panels == 4 else 3)
    figure = display.plot(axes).figure_
    caption = (
        "Each dot is a setting of the search on all rows. It shows the mean"
        f" {display.metric} and the standard deviation over the inner folds. The star"
        " is the chosen setting."
    )
    if display.metric != scoring:
        caption += f" The table above shows another score, {scoring}."
    if "rung" in search.cv_results_:
        caption += (
            " Settings that fell behind were dropped early. The score at that time is"
            " shown."
        )
    return _section("Settings tried", _figure(figure, "Settings tried", caption))


def _curves_pictures(fitted):
    """Make the section with the learning curves of single and averaged networks."""
    alone, averaged = {}, {}
    for name, estimator in fitted.items():
        try:
            networks = find_networks(estimator)
        except ValueError:  # there are no networks inside
            continue
        if len(networks) == 1:
            alone[name] = next(iter(networks.values()))
        else:
            averaged[name] = networks
    figures = []
    if alone:
        figures.append(_curves_figure(alone, "Training", _OF_CURVES))
    for name, folds in averaged.items():
        text = f"Training of the {name}"
        caption = (
            f"The best setting in the average of the {name}, on each fold. {_OF_FOLDS}"
        )
        figures.append(_curves_figure(folds, text, caption))
    return _section("Training", *figures) if figures else ""


_OF_CURVES = (
    "The training objective includes the penalties and the noise of training. The dot"
    " marks the best epoch."
)
_OF_FOLDS = "The validation rows are the held-out rows of the fold."


def _curves_figure(networks, text, caption):
    display = LearningCurvesDisplay.from_estimator(networks, ax=_new_axes(5.6, 3.8))
    return _figure(display.figure_, text, caption)


def _new_axes(width, height):
    # Not created by pyplot, which may need a display.
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained").subplots()


def _figure(figure, text, caption):
    """Return the HTML of a figure with its picture embedded."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    # On a narrow page the picture shrinks while it is readable, and scrolls below that.
    inches = figure.get_figwidth()
    size = f"min-width: {4 * inches:.0f}rem; max-width: {6.5 * inches:.0f}rem"
    return (
        "<figure>\n"
        f'<div class="wide"><img src="data:image/svg+xml;base64,{data}"'
        f' style="{size}" alt="{escape(text)}"></div>\n'
        f"<figcaption>{escape(caption)}</figcaption>\n"
        "</figure>"
    )
