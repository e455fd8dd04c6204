"""The hyperparameters: which values they take, and errors that name them."""
