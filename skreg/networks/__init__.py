"""Stacked networks: layers, initial weights, losses, and their derivatives."""
