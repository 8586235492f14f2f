"""A training on disk: its directory and checkpoints, and the finished run."""
