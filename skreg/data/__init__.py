"""Rows of tables, their statistics, and the batches that are made of them."""
