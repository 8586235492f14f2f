"""Walkers over the jaxpr of a network, and their rules."""
