"""What happens in a simulated training, drawn from a seed, and what is watched meanwhile."""

import random

import numpy as np


class Interrupted(Exception):  # noqa: N818
    """The driver is interrupted in the middle of a generation, as by Ctrl-C, and will do it again."""


class Killed(BaseException):
    """A worker ends within its share."""


class Fate:
    """What happens, drawn from a seed, and the history of it."""

    def __init__(self, seed, trouble=None):
        self._random = random.Random(seed)
        self.history, self.now, self.disturbed = [], 0.0, 0
        # Some seeds are calm, so that long ones without a death are met as well.
        self.trouble = self._random.choice([0.02, 0.1, 0.3]) if trouble is None else trouble

    def clock(self):
        return self.now

    def draw(self, options):
        return self._random.choice(options)

    def below(self, count):
        return self._random.randrange(count)

    def happens(self, share=1.0):
        """Whether a bad thing happens here."""
        return self._random.random() < self.trouble * share

    def note(self, text):
        self.history.append(f"{self.now:9.2f} {text}")


class Watch:
    """Compares what each program is called with, and fails where it is not of this generation."""

    def __init__(self):
        self.line, self.wrong, self.exempt = None, [], False  # the line of the generation that runs; see `Case`

    def programs(self, calls, within):
        """The compiled programs, watched; `within` is called before each."""
        return {name: self._watched(name, call, within) for name, call in calls.items()}

    def _watched(self, name, call, within):
        def watched(*arguments):
            within()
            if name in ("evaluate", "both", "estimate", "members") and not self.exempt:
                self.see(name, arguments)
            return call(*arguments)

        return watched

    def see(self, name, arguments):
        _, params, number, *rest = arguments
        number = int(number)
        if bits(params) != self.line.params[number]:
            self.wrong.append(f"{name} of generation {number} was given other parameters")
        if name == "estimate" and bits(rest[2:]) != self.line.fitness[number]:
            self.wrong.append(f"{name} of generation {number} was given another fitness")


def bits(leaves):
    return [np.asarray(leaf).tobytes() for leaf in leaves]
