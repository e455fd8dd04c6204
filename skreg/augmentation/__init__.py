"""Random changes of training rows, and augmented copies of them."""
