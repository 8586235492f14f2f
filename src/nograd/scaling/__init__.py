"""Measuring how much faster a generation is on more workers."""
