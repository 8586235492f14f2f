"""The kinds of target by their words in config.json; see `config.axes.PROBLEMS`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nograd.config.axes import PROBLEMS
from nograd.core.types import ConfigError
from nograd.data import Dataset, target_from_json
from nograd.tasks.targets import Targets

if TYPE_CHECKING:
    from nograd.data.targets import Target

# (what the data say of their targets: names, unit) -> the kind that knows it.
TARGETS: "dict[str, Callable[[Target | None], Targets]]" = {kind.word: kind for kind in PROBLEMS.builders().values()}


def targets_of(dataset: Dataset) -> Targets:
    """The first kind that fits a data set. Raises ConfigError where none does."""
    for make in TARGETS.values():
        if (targets := make(dataset.target)).fits(dataset):
            return targets
    raise ConfigError(
        f"the targets of {dataset.name} are {dataset.y_train.dtype}{list(dataset.y_train.shape[1:])}, and nograd knows "
        f"{', '.join(TARGETS)}; give labels as whole numbers"
    )


def recorded_targets(record: Mapping[str, Any]) -> Targets:
    """The kind of target that the "data" of a config.json name."""
    target = record.get("target")
    return TARGETS[record.get("targets", "classes")](target_from_json(target) if target else None)
