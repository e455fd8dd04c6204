"""Stacked networks: their layers, initial weights, losses and derivatives."""
