"""HTML pages with charts about runs, studies and measured speedups."""
