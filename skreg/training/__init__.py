"""Training: turns fit requests into trained networks, stack by stack."""
