"""Rows, their random streams and statistics, and the batches made of them."""
