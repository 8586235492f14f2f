"""What a registry is: the words of one axis, and for each the object it names, its help, the settings that it reads.

Nothing here imports JAX: an object is named by "module:function", and imported when it is first made.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

from nograd.core.metrics import Measure
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError

DATA, ENVIRONMENT, FUNCTION = "data", "environment", "function"  # kinds of task
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Entry(NamedTuple):
    """One word of an axis."""

    help: str  # a line, for `nograd train --help`
    build: str = ""  # module:function that makes it
    reads: tuple[str, ...] = ()  # of the settings that not every word of the axis reads
    defaults: Mapping[str, Any] = _NOTHING  # of settings, where they differ from the fields' own
    excludes: Mapping[str, tuple[str, str]] = _NOTHING  # by setting: the value that cannot be, and why
    tasks: tuple[str, ...] = (DATA, ENVIRONMENT, FUNCTION)  # kinds of task that it is for
    searched: bool = True  # whether a search over all words draws it
    searches: tuple[str, ...] = ()  # settings that `nograd search` draws where no others are named
    form: str = ""  # how the word is written where arguments follow: mlp:128,64
    policy: str = ""  # what makes it in place of `build` where the task is an environment
    pattern: str = ""  # of an environment's source: a regular expression of the names that it may know
    suffixes: tuple[str, ...] = ()  # of a data format: of the names of its files
    compressed: bool = False  # of a data format: compressed by itself, so that .gz never follows
    cells: str = ""  # of a data format of text: module:function that reads the cells as they stand
    in_jax: bool = False  # of an environment's source: its episodes are part of a program
    targets: Mapping[str, str] = _NOTHING  # of a score: the object for each kind of target that it is for
    whole: bool = False  # of a fitness: one number for the whole batch, not one an example
    measure: Measure | None = None  # of a metric: its direction, its text and what it counts


class Axis(NamedTuple):
    """All words that one setting may have."""

    what: str  # in errors: "strategy"
    entries: Mapping[str, Entry]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.entries)

    @property
    def range(self) -> str:
        """The range, as text, of a search over all words."""
        return f"choice({', '.join(word for word, entry in self.entries.items() if entry.searched)})"

    def entry(self, word: str) -> Entry:
        """What a word stands for. Raises ConfigError with the nearest words."""
        if word not in self.entries:
            raise ConfigError(f"unknown {self.what} {word!r}{did_you_mean(word, self.entries)}")
        return self.entries[word]

    def builder(self, word: str) -> Any:
        """The function that makes what a word stands for."""
        return load(self.entry(word).build)

    def builders(self) -> dict[str, Any]:
        """For each word the function that makes its object. Imports all of them."""
        return {word: load(entry.build) for word, entry in self.entries.items() if entry.build}

    def readers(self, name: str) -> tuple[str, ...]:
        """The words that use a setting; () if all words use it."""
        return tuple(word for word, entry in self.entries.items() if name in entry.reads)

    def suited(self, task: str) -> tuple[str, ...]:
        """The words that are for a kind of task."""
        return tuple(word for word, entry in self.entries.items() if task in entry.tasks)

    def for_targets(self, kind: str) -> dict[str, str]:
        """The words for a kind of target, with the object that each names; the default first."""
        return {word: entry.targets[kind] for word, entry in self.entries.items() if kind in entry.targets}

    def specific_settings(self) -> Iterator[str]:
        """The settings that some words use and others do not."""
        yield from dict.fromkeys(name for entry in self.entries.values() for name in entry.reads)


def load(path: str) -> Any:
    """The object that "module:name" names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
