"""What follows from the size of a data set where the settings leave it open: the batch and the network."""

from nograd.config.settings import DEFAULT_BATCH, DEFAULT_MODEL
from nograd.data import Dataset

_TABLE_BATCH = 1024  # rows: few enough for seconds, and most tables are one batch
_SMALL, _LARGE = 60, 4000  # training rows


def default_batch(dataset: Dataset) -> int:
    """All training examples, where that is not too many for one batch."""
    return min(_TABLE_BATCH if dataset.columns else DEFAULT_BATCH, len(dataset.x_train))


def default_model(dataset: Dataset) -> str:
    """Of a table a linear network with a nonlinear one beside it, as wide as the rows can tell; else that of images.

    Fewer than 60 rows say too little of how the outputs bend.
    """
    rows = len(dataset.x_train)
    if not dataset.columns:
        return DEFAULT_MODEL
    if rows < _SMALL:
        return "mlp-linear"
    return "mlp-linear:16" if rows < _LARGE else "mlp-linear:64"
