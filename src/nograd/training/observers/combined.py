"""Several observers of one training as one, and which ones the settings ask for."""

from contextlib import AbstractContextManager, ExitStack
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from nograd.config.settings import TrainConfig
from nograd.core.types import ConfigError
from nograd.runs.directory import RunDirectory
from nograd.runs.run import Run
from nograd.training.loop import Observer, Progress


@runtime_checkable
class Finisher(Protocol):
    """An observer that is told of the end too."""

    def finish(self, run: Run) -> None:
        """After result.json is written."""


class Together:
    """Tells each of its observers, in order. Those that are context managers are entered, and left in turn."""

    def __init__(self, observers: list[Observer]) -> None:
        self.observers = observers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for observer in self.observers:
            if isinstance(observer, AbstractContextManager):
                self._stack.enter_context(observer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        """After each generation."""
        for observer in self.observers:
            observer.generation(progress, line)

    def finish(self, run: Run) -> None:
        """After result.json is written."""
        for observer in self.observers:
            if isinstance(observer, Finisher):
                observer.finish(run)


def together(config: TrainConfig, directory: RunDirectory, start: Progress, given: Observer | None) -> Together:
    """The observers that the settings ask for, and the caller's own last: it may take the terminal."""
    chosen: list[Observer] = []
    if config.tensorboard:
        from nograd.training.observers.tensorboard import TensorBoard

        chosen.append(TensorBoard(directory, start))
    if config.wandb:
        from nograd.training.observers.wandb import WandB

        chosen.append(WandB(directory))
    if config.open:
        from nograd.training.observers.live_page import LivePage

        chosen.append(LivePage(directory, lambda line: print(line, flush=True)))
    return Together([*chosen, *([given] if given else [])])


def require_packages(config: TrainConfig) -> None:
    """Raises ConfigError where what the settings ask for is not installed, with the line that does."""
    for name in ("tensorboard", "wandb"):
        spec = find_spec(name) if getattr(config, name) else None
        # Without an origin it is a mere folder of that name, which such packages leave where they have run.
        if getattr(config, name) and (spec is None or spec.origin is None):
            raise ConfigError(f"--{name} needs the package {name}: pip install 'nograd[{name}]'")
    if config.open:
        from nograd.reports.charts import require_library

        require_library()
