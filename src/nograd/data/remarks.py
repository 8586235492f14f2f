"""Remarks on a prepared table, one per line, that a user should read before trusting its scores."""

from collections.abc import Mapping
from itertools import groupby

import numpy as np
import polars as pl

from nograd.data.arrays import Array
from nograd.data.encoding import Encoding
from nograd.data.kinds import Date, Number
from nograd.data.messages import name_list
from nograd.data.targets import Target

_LARGE = 200_000  # examples
_RARE = 3  # examples: fewer cannot be in all parts
_PARTS = (("train", "training"), ("val", "validation"), ("test", "test"))


def remarks_of(target: Target, encoding: Encoding, parts: Mapping[str, tuple[Array, Array]]) -> list[str]:
    """Rare classes, classes written in two ways, features that say nothing, test examples that were trained on.

    Args:
        parts: inputs and labels of train, val and test.
    """
    labels = {part: y for part, (_, y) in parts.items()}
    classes = _classes(target, labels) if target.problem == "classification" else []
    return classes + (_constant(parts["train"][0]) or _copies(encoding, parts))


def _classes(target: Target, labels: Mapping[str, Array]) -> list[str]:
    counts = {part: np.bincount(y, minlength=len(target.classes)) for part, y in labels.items()}
    total = np.sum(list(counts.values()), axis=0)
    rare = [f"{name} ({n})" for name, n in zip(target.classes, total, strict=True) if n < _RARE]
    alone = {name for name, n in zip(target.classes, total, strict=True) if n == 1}
    lines = [f"rare classes, with fewer than {_RARE} examples: {name_list(rare)}"] if rare else []
    for part, words in _PARTS:
        absent = [n for n, count in zip(target.classes, counts[part], strict=True) if not count and n not in alone]
        if absent:
            lines.append(f"classes without a {words} example: {name_list(absent)}")
    alike = [" and ".join(same) for same in _alike(target.classes)]
    if alike:
        lines.append(f"classes that differ only in upper and lower case: {name_list(alike)}; write each in one way")
    return lines


def _alike(names: tuple[str, ...]) -> list[list[str]]:
    groups = [list(same) for _, same in groupby(sorted(names, key=str.casefold), str.casefold)]
    return [same for same in groups if len(same) > 1]


def _constant(x: Array) -> list[str]:
    """Columns are dropped where they are constant, but for the last ones."""
    if len(x) < 2 or (x[0] != x[-1]).any() or (x != x[0]).any():
        return []
    return ["all training examples have the same features: a network can learn nothing from them"]


def _copies(encoding: Encoding, parts: Mapping[str, tuple[Array, Array]]) -> list[str]:
    """Test examples whose features and label a training example has too, where they are half of the test or more.

    Only where a column has measured values: rows of a few categories are equal by chance. Not in large tables, whose
    preparation it would make longer by a tenth.
    """
    measured = any(isinstance(one, Date) or (isinstance(one, Number) and not one.flag) for one in encoding.columns)
    if not measured or len(parts["train"][1]) > _LARGE:
        return []
    copies = int(np.isin(_hashes(*parts["test"]), _hashes(*parts["train"])).sum())
    size = len(parts["test"][1])
    if 2 * copies < size:
        return []
    return [
        f"{copies:,} of {size:,} test examples equal a training example, label included: where these are copies, "
        "the test score says too much; remove them, or keep them together with --split group:COLUMN"
    ]


def _hashes(x: Array, y: Array) -> Array:
    """A 64-bit number for each example, the same where features and labels are."""
    columns = np.column_stack([x, y.reshape(len(y), -1)])
    return pl.DataFrame(columns).hash_rows().to_numpy()
