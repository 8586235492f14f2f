"""Files in: one module a format, and the registry of them."""
