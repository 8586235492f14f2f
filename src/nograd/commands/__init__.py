"""What each command does: a function of its arguments and of when the program started, that returns the exit code."""
