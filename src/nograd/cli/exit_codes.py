"""The exit codes of every command; success is 0."""

EXIT_DIVERGED = 1  # the run ended without a result worth keeping
EXIT_ERROR = 2  # one line on stderr says what was wrong
EXIT_INTERRUPTED = 130  # stopped by Ctrl-C or SIGTERM; what was reached is kept
