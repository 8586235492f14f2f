"""The measured speedup over workers."""
