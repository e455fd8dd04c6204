"""Fitted networks with fewer weights, or with fewer units."""

from skreg.sparsity.compaction import compact
from skreg.sparsity.pruning import prune

__all__ = ["compact", "prune"]
