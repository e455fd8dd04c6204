"""Displays of fits, searches, paths, comparisons and coverage."""

from skreg.plotting.comparison import ComparisonDisplay
from skreg.plotting.coverage import CoverageDisplay
from skreg.plotting.curves import LearningCurvesDisplay
from skreg.plotting.path import RegularizationPathDisplay
from skreg.plotting.search import SearchDisplay

__all__ = [
    "ComparisonDisplay",
    "CoverageDisplay",
    "LearningCurvesDisplay",
    "RegularizationPathDisplay",
    "SearchDisplay",
]
