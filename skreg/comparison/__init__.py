"""Comparison of networks with baselines, and the command line."""
