"""Displays of fits, searches, paths and comparisons."""

from skreg.plotting.comparison import ComparisonDisplay
from skreg.plotting.curves import LearningCurvesDisplay
from skreg.plotting.path import RegularizationPathDisplay
from skreg.plotting.search import SearchDisplay

__all__ = [
    "ComparisonDisplay",
    "LearningCurvesDisplay",
    "RegularizationPathDisplay",
    "SearchDisplay",
]
