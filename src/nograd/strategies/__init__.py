"""Strategies: how fitness changes the search distribution. Shaping, one file per strategy, and `nograd.grad`."""
