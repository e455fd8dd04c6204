"""Comparison of networks with baselines, and the command line."""

from skreg.comparison.certainty import Certainty
from skreg.comparison.choices import Choice
from skreg.comparison.comparing import compare
from skreg.comparison.datasets import DataError, Table, load_table
from skreg.comparison.result import ComparisonResult, Statistics

__all__ = [
    "Certainty",
    "Choice",
    "ComparisonResult",
    "DataError",
    "Statistics",
    "Table",
    "compare",
    "load_table",
]
