"""Choosing the regularisation: searches, paths, networks that tune themselves."""
