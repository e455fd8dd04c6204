"""Comparison of networks with baselines, and the command line."""

from skreg.comparison.comparing import compare
from skreg.comparison.datasets import load_table
from skreg.comparison.result import ComparisonResult

__all__ = ["ComparisonResult", "compare", "load_table"]
