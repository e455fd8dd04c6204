"""Comparison of networks with baselines, and the command line."""

from skreg.comparison.certainty import Certainty
from skreg.comparison.choices import Choice
from skreg.comparison.comparing import compare
from skreg.comparison.content import DataError
from skreg.comparison.datasets import Table, load_table
from skreg.comparison.result import ComparisonResult, Statistics
from skreg.comparison.roles import ColumnRole

__all__ = [
    "Certainty",
    "Choice",
    "ColumnRole",
    "ComparisonResult",
    "DataError",
    "Statistics",
    "Table",
    "compare",
    "load_table",
]
