"""Displays of fits, searches, paths and comparisons."""
