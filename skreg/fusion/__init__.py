"""Whole searches as one training: the joblib backend and what stands behind it."""
