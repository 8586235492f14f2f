"""Pages and pictures of anything on disk."""
