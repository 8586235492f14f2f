"""Tasks from a Python function: `nograd.minimize` and `maximize`."""

from collections.abc import Mapping
from typing import Any

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_objective
from nograd.core.types import ConfigError
from nograd.tasks.base import Given, ReportInfo, SourceInfo, Task, TrainedTask
from nograd.tasks.objective import Objective, recorded_objective


class Functions:
    """Tasks that minimise or maximise a function."""

    def accepts(self, source: Any) -> bool:
        """Whether the source is an `Objective`."""
        return isinstance(source, Objective)

    def matches(self, config: TrainConfig) -> bool:
        """Whether the task's word is minimize or maximize with a function's name."""
        return is_objective(config.task)

    def recorded(self, record: Mapping[str, Any]) -> bool:
        """Whether the record has an objective."""
        return "objective" in record

    def load(self, config: TrainConfig) -> Objective:
        """Raises ConfigError: a word alone gives no function."""
        raise ConfigError(f"{config.task} names a function of yours; give it: nograd.minimize(function, x0, resume=…)")

    def checked(self, source: Objective) -> Objective:
        """The source itself: the function was called once when the task was made."""
        return source

    def settings(self, source: Objective) -> dict[str, Any]:
        """{}: no setting besides the task names a function."""
        return {}

    def with_defaults(self, config: TrainConfig, source: Objective) -> TrainConfig:
        """The config itself: `minimize` has settled everything."""
        return config

    def task(self, config: TrainConfig, source: Objective, given: Given) -> Task:
        """The objective itself is a task."""
        return source

    def trained_task(self, config: TrainConfig, record: Mapping[str, Any], given: Given) -> TrainedTask:
        """An objective without its function, with the space of its points."""
        return recorded_objective(record)

    def report_info(self, config: TrainConfig, record: Mapping[str, Any]) -> ReportInfo:
        """A score is one value of the function."""
        leaves = record["objective"]["space"]
        facts = {"function": f"{config.task}", "point": ", ".join(f"{leaf['name']}: {leaf['kind']}" for leaf in leaves)}
        return ReportInfo((), "calls of the function", dict.fromkeys(("val", "test"), 1), facts)

    def summary(self, source: Objective, wanted: TrainConfig, final: TrainConfig) -> list[str]:
        """A function has no parts to print."""
        return []

    def describe(self, config: TrainConfig, source: Objective) -> SourceInfo:
        """The function's name and space."""
        return SourceInfo(source.note, source.checksum, source.measure, 1, None, "space, name or restarts")
