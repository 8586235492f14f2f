"""One generation as pure functions over its chunks."""
