"""Defaults that follow from the size of a data set: the batch and the network."""

from nograd.config.settings import DEFAULT_BATCH, DEFAULT_MODEL
from nograd.data import Dataset

_TABLE_BATCH = 1024  # rows: few enough for seconds, and most tables are one batch
_SMALL, _LARGE = 60, 4000  # training rows


def default_batch(dataset: Dataset) -> int:
    """All training examples, but at most 1,024 rows of a table or 256 examples of other data."""
    return min(_TABLE_BATCH if dataset.columns else DEFAULT_BATCH, len(dataset.x_train))


def default_model(dataset: Dataset) -> str:
    """The network of `--model auto`: for a table, a linear layer plus an MLP that is wider the more rows there are.

    Fewer than 60 rows are too few to learn more than the linear layer. Data without columns have `mlp:64`.
    """
    rows = len(dataset.x_train)
    if not dataset.columns:
        return DEFAULT_MODEL
    if rows < _SMALL:
        return "mlp-linear"
    return "mlp-linear:16" if rows < _LARGE else "mlp-linear:64"
