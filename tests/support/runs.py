"""Whole runs in tests: what must be equal of two, and a signal in the middle of one."""

import signal


def lines(run, *apart):
    """The lines of metrics without what a clock says, and without the fields `apart`."""
    return [{name: value for name, value in line.items() if name not in {"seconds", *apart}} for line in run.metrics]


def tensors(path):
    """The array bytes of a checkpoint, without its header (which holds seconds)."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


class StopAt:
    """An observer that sends a signal to this process at one generation."""

    def __init__(self, generation, number=signal.SIGINT):
        self.at, self.number = generation, number

    def generation(self, progress, line):
        if progress.generation == self.at:
            signal.raise_signal(self.number)
