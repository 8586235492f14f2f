"""Measurements of a speedup whose truth is known."""

import numpy as np

from nograd.scaling.measure import Measurement, Timing

COUNTS = np.array([1, 2, 4, 8])


def synthetic(rng, serial, workers=COUNTS, rounds=5, noise=0.01, drift=0.2):
    """Times of 2 s of work by Amdahl's law; each has noise of its own, and a round's are slow together."""
    ideal = 2.0 * (serial + (1 - serial) / np.asarray(workers))
    own, common = noise * rng.normal(size=(rounds, len(workers))), drift * rng.normal(size=(rounds, 1))
    return ideal * np.exp(own + common)


def measurement(times, workers=COUNTS):
    """A `Measurement` of given times."""
    where = {"evaluate": 0.9, "communicate": 0.05, "wait": 0.02, "update": 0.02, "other": 0.01}
    turns = tuple(tuple(Timing(float(t), where, 10, 20, "same") for t in row) for row in times)
    return Measurement(tuple(map(int, workers)), 3, turns)
