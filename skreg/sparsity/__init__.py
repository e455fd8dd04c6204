"""Pruning of weights and units, and removal of pruned units from fitted networks."""

from skreg.sparsity.compaction import compact
from skreg.sparsity.pruning import prune

__all__ = ["compact", "prune"]
