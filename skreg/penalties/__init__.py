"""Penalties and constraints of the weights: what each is, and their sum."""
