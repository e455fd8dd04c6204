"""Stacked networks: layers, initial weights, and their derivatives."""
