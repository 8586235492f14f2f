"""A training on disk: directory, checkpoint, the finished run."""
