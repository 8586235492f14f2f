"""Training: the settings become objects, the loop runs them, observers watch."""
