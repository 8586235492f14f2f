"""A small table of each kind of target."""

import numpy as np
import polars as pl

from nograd.data import Dataset

LABELS = {"classes": "kind", "numbers": ["height", "age"], "labels": ["wet", "old"]}


def dataset(word, rows=120):
    """Inputs a, b and c, and targets that follow from them with some noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    noise = rng.normal(size=(rows, 3))
    columns = {
        "kind": [("oak", "elm", "ash")[int(v > 0) + int(v > 1)] for v in x[:, 0]],
        "height": 170 + 30 * x[:, 0] + noise[:, 0],
        "age": 40 + 10 * x[:, 2] + noise[:, 1],
        "wet": (x[:, 1] + noise[:, 2] > 0).astype(int),
        "old": (x[:, 2] > 0).astype(int),
    }
    chosen = {name: columns[name] for name in np.atleast_1d(LABELS[word]).tolist()}
    return Dataset.from_frame(pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], **chosen}), LABELS[word])
