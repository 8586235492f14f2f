"""Which examples are for training, validation and test: by chance, by class, by time or by group.

A split is a pure function of the seed and of the content of the file.
"""

from collections.abc import Sequence

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array

SPLITS = ("auto", "random", "stratified", "time:COLUMN", "group:COLUMN")
SHARE = 0.1  # of the examples, for a part that is not given
_RARE = 3  # examples of a class below which all are for training


def part_sizes(examples: int, shares: Sequence[float], seed: int, source: str) -> list[int]:
    """Examples for each part after the first: its share rounded, and at least one.

    Raises:
        DataError: too few examples for the parts, or a negative seed.
    """
    if seed < 0:
        raise DataError(f"the seed of a split must be 0 or more, got {seed}; use --seed 0, 1, 2 …")
    sizes = [max(1, round(share * examples)) for share in shares]
    if sum(sizes) >= examples:
        raise DataError(
            f"{source} has {examples} examples, too few to split into {len(shares) + 1} parts; "
            f"give at least {len(sizes) + 1}"
        )
    return sizes


def split(
    x: Array,
    y: Array,
    seed: int,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    source: str = "the data set",
) -> list[tuple[Array, Array]]:
    """Deal the examples at random into one (x, y) pair for each fraction; equal seeds deal equally.

    Args:
        x: inputs [examples, *features]; y: labels [examples].
        seed: 0 or more.
        fractions: shares of the parts, training first. Every part after the first gets its share rounded,
            and at least one example; the first gets all the others.
        source: what messages call the data, usually a path.
    Raises:
        DataError: too few examples for the parts, or a negative seed.
    """
    sizes = part_sizes(len(x), fractions[1:], seed, source)
    return [(x[rows], y[rows]) for rows in random_rows(len(x), sizes, seed)]


def random_rows(examples: int, sizes: Sequence[int], seed: int) -> list[Array]:
    """The rows of each part: training first, then one part for each size."""
    order = np.random.default_rng(seed).permutation(examples)
    bounds = np.cumsum([examples - sum(sizes), *sizes])[:-1]
    return np.split(order, bounds)


def stratified_rows(classes: Array, sizes: Sequence[int], seed: int) -> list[Array]:
    """Like `random_rows`, with every class in every part by its share, to within one example.

    Args:
        classes: the number of the class of each example. All examples of a class of fewer than three are for
            training.
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    rare = np.bincount(classes)[classes] < _RARE
    left = order[~rare[order]]
    if len(left) <= sum(sizes):
        return random_rows(len(classes), sizes, seed)
    if classes.max() < 1 << 16:
        classes = classes.astype(np.uint16)  # short integers are sorted in one pass
    left = left[np.argsort(classes[left], kind="stable")]
    parts, taken = [], np.zeros(len(classes), bool)
    for size in sizes:
        # Every (n/size)-th of the n that lie sorted by class: the places ⌈k n/size⌉ − 1 for k = 1 … size.
        places = -(np.arange(1, size + 1) * -len(left) // size) - 1
        parts.append(left[places])
        taken[left[places]] = True
        left = np.delete(left, places)
    chance = np.empty(len(order), np.int64)  # where a row stands in the shuffled order
    chance[order] = np.arange(len(order))
    parts = [part[np.argsort(chance[part])] for part in parts]
    return [order[~taken[order]], *parts]


def time_rows(times: Array, sizes: Sequence[int], source: str) -> list[Array]:
    """The latest examples for the test, those before them for validation: training never sees the future.

    Args:
        times: anything that can be sorted, one per example, none missing.
    Raises:
        DataError: so few different times that a part would be empty.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    bounds = np.cumsum([len(times) - sum(sizes), *sizes])[:-1]
    # Examples of one moment stay together, in the later part.
    starts = [int(np.searchsorted(ordered, ordered[bound], "left")) for bound in bounds]
    if len({0, *starts}) <= len(starts):
        raise DataError(
            f"{source} has too few different times to split by ({len(np.unique(times)):,}); "
            "split by another column, or with --split random"
        )
    return np.split(order, starts)


def group_rows(groups: Array, sizes: Sequence[int], seed: int, source: str) -> list[Array]:
    """All rows of a group in one part, so that scores are measured on groups that training has never seen.

    Args:
        groups: the number of the group of each example, 0..k-1.
    Raises:
        DataError: fewer groups than parts.
    """
    count = int(groups.max()) + 1
    if count <= len(sizes):
        raise DataError(
            f"{source} has {count} groups, too few for {len(sizes) + 1} parts; "
            "split by another column, or with --split random"
        )
    members = np.bincount(groups, minlength=count)
    waiting = list(np.random.default_rng(seed).permutation(count))
    part_of, spare = np.zeros(count, int), len(sizes)
    for part, size in enumerate(sizes, 1):
        filled = 0
        # One group at least is left for every part that follows, and for training.
        while filled < size and len(waiting) > spare - part + 1:
            group = waiting.pop()
            part_of[group], filled = part, filled + members[group]
    order = np.random.default_rng(seed).permutation(len(groups))
    return [order[part_of[groups[order]] == part] for part in range(len(sizes) + 1)]
