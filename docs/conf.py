"""Configuration of the documentation; `make docs` builds it."""

import inspect
import warnings

import skreg

project = "skreg"
author = "skreg developers"
copyright = "2026, skreg developers"
version = release = skreg.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "README.md"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = f"skreg {release}"
html_theme_options = {"secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False

myst_enable_extensions = ["attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
# The class pages list methods themselves.
numpydoc_show_class_members = False

# Properties inherited from scikit-learn refer to its glossary.
suppress_warnings = ["ref.term"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": "benchmarks|__init__|gene_selection|_studies",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1,
    "backreferences_dir": None,
    "plot_gallery": "True",
    "abort_on_example_error": True,
}


def skip_inherited_from_sklearn(app, what, name, obj, skip, options):
    """Leave out what scikit-learn documents: its text refers to its own pages."""
    obj = getattr(obj, "fget", obj)  # of a property
    module = getattr(inspect.unwrap(obj), "__module__", None) if callable(obj) else None
    return True if (module or "").startswith("sklearn.") else None


def setup(app):
    """Connect the handlers of this file to Sphinx's events."""
    app.connect("autodoc-skip-member", skip_inherited_from_sklearn)


# Examples run as users run them, but a warning in one is a fault of the page.
warnings.filterwarnings("error", module="skreg")
