"""Several observers combined into one, and the observers that the settings ask for."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from nograd.config.settings import TrainConfig
from nograd.core.imports import import_object
from nograd.core.notice import notice
from nograd.core.types import ConfigError
from nograd.runs.directory import RunDirectory
from nograd.runs.run import Run
from nograd.training.loop import Observer, Progress


@runtime_checkable
class Finisher(Protocol):
    """An observer that also gets the finished run."""

    def finish(self, run: Run) -> None:
        """Called once, after result.json is written."""


class CombinedObserver:
    """Calls each of its observers in order; enters and exits those that are context managers.

    An observer must not stop a training by an error: one that raises an exception is named on standard error, exited,
        and
    not called again.
    """

    def __init__(self, observers: list[Observer]) -> None:
        self.observers = observers
        self._entered: list[AbstractContextManager[Any]] = []
        self._asked = ""

    def __enter__(self) -> Self:
        for observer in list(self.observers):
            if isinstance(observer, AbstractContextManager):
                self._guarded(observer, self._enter, observer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for observer in reversed(list(self._entered)):
            self._leave(observer, kind, error, trace)

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        """Called after each generation. The first word that an observer returns becomes the stop reason."""
        for observer in list(self.observers):
            word = self._guarded(observer, observer.generation, progress, line)
            self._asked = self._asked or word or ""

    def stop(self) -> str:
        """The stop reason that an observer asked for; empty if none did."""
        return self._asked

    def finish(self, run: Run) -> None:
        """Called once, after result.json is written."""
        for observer in list(self.observers):
            if isinstance(observer, Finisher):
                self._guarded(observer, observer.finish, run)

    def _enter(self, observer: AbstractContextManager[Any]) -> None:
        observer.__enter__()
        self._entered.append(observer)

    def _guarded(self, observer: Any, method: Callable[..., Any], *arguments: Any) -> Any:
        """The return value of the method; if it raises, None, and the observer is not called again."""
        try:
            return method(*arguments)
        except Exception as error:
            said = f": {error}" if str(error) else ""
            name = f"the observer {type(observer).__name__}"
            notice(f"{name} failed ({type(error).__name__}{said}); it is told nothing more, the training goes on")
            self.observers = [other for other in self.observers if other is not observer]
            self._leave(observer, type(error), error, error.__traceback__)
            return None

    def _leave(self, observer: Any, *error: Any) -> None:
        """Exits an observer that was entered; an exception from that is ignored."""
        if any(other is observer for other in self._entered):
            self._entered = [other for other in self._entered if other is not observer]
            with suppress(Exception):
                observer.__exit__(*error)


# For each setting a function (run directory, progress at the start) -> observer. The functions are named by text and
# imported when needed: each needs optional packages, and `reports` must not be imported by `training`.
_ASKED_FOR = {
    "tensorboard": "nograd.training.observers.tensorboard:observer",
    "wandb": "nograd.training.observers.wandb:observer",
    "open": "nograd.reports.live_page:observer",
}
_PACKAGES = ("tensorboard", "wandb")


def together(
    config: TrainConfig, directory: RunDirectory, start: Progress, given: Sequence[Observer]
) -> CombinedObserver:
    """The observers that the settings ask for, and last those of the caller, which may draw in the terminal."""
    makers = [import_object(word, "observer") for setting, word in _ASKED_FOR.items() if getattr(config, setting)]
    return CombinedObserver([*(make(directory, start) for make in makers), *given])


def require_packages(config: TrainConfig) -> None:
    """Raises ConfigError if a package for an observer is missing; the message has the line that installs it."""
    for name in _PACKAGES:
        spec = find_spec(name) if getattr(config, name) else None
        # A spec without origin is only a folder of that name; these packages leave one where they have run.
        if getattr(config, name) and (spec is None or spec.origin is None):
            raise ConfigError(f"--{name} needs the package {name}: pip install 'nograd[{name}]'")
    if config.open:
        import_object("nograd.reports.charts:require_library", "page")()
