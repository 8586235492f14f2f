"""How members of a population differ: dense, low-rank, node."""
