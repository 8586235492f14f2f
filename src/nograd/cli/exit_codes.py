"""The exit codes of all commands, other than 0 for success."""

EXIT_DIVERGED = 1  # the run ended without a usable result
EXIT_ERROR = 2  # a line on stderr says what is wrong
EXIT_INTERRUPTED = 130  # stopped by Ctrl-C or SIGTERM; what was computed so far is kept
