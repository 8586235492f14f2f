"""From arguments to calls."""
