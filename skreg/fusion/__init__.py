"""Searches that train as a few large networks, through a backend of joblib."""

from skreg.fusion.backend import fused

__all__ = ["fused"]
