"""Whole searches as one training: the joblib backend and what stands behind it."""

from skreg.fusion.backend import fused

__all__ = ["fused"]
