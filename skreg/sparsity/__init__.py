"""Pruning and compaction of fitted networks."""
