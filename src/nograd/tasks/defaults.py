"""Defaults that follow from the size of a data set: the batch, the network and the weight decay."""

from nograd.config.axes import STRATEGIES
from nograd.config.dependencies import STRATEGY
from nograd.config.settings import AUTO, DEFAULT_BATCH, DEFAULT_MODEL, TrainConfig
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


def default_weight_decay(config: TrainConfig, dataset: Dataset) -> float | None:
    """The L2 coefficient of the config; if none is given, with `--model auto` on a table 0.01, or 0.1 below 60 rows.

    The L2 terms of scikit-learn's `Ridge` and `LogisticRegression` are about 1/rows on the scale of the mean loss.
    None, which counts as 0, in all other cases, and if the strategy has no such term.
    """
    decays = (config.strategy or STRATEGY.default) in STRATEGIES.readers("weight_decay")
    if config.weight_decay is not None or config.model != AUTO or not dataset.columns or not decays:
        return config.weight_decay
    return 0.1 if len(dataset.x_train) < _SMALL else 0.01
