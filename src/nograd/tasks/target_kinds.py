"""The kinds of target that there are, by their words: the one place that a new kind is added to."""

from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.tasks.classification import CLASSES
from nograd.tasks.targets import Targets

TARGETS: dict[str, Targets] = {targets.word: targets for targets in (CLASSES,)}


def targets_of(dataset: Dataset) -> Targets:
    """The first kind that fits a data set. Raises ConfigError where none does."""
    for targets in TARGETS.values():
        if targets.fits(dataset):
            return targets
    raise ConfigError(
        f"the targets of {dataset.name} are {dataset.y_train.dtype}{list(dataset.y_train.shape[1:])}, and nograd knows "
        f"{', '.join(TARGETS)}; give labels as whole numbers"
    )
