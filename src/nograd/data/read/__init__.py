"""Readers of tables: one module per format, and the registry of formats."""
