"""Settings as data, without JAX: the fields, what depends on what, their checks, recipes and presets."""
