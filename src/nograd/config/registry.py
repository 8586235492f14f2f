"""Registries: all words that one setting accepts, and for each word its object, its help and the settings it uses.

Nothing here imports JAX: an object is named by "module:function", and imported when it is first needed.
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
    """One word of an axis, such as the strategy "snes"."""

    help: str  # one line, for `nograd train --help`
    build: str = ""  # module:function that makes the object
    reads: tuple[str, ...] = ()  # the settings that it uses, among those that only some words of the axis use
    defaults: Mapping[str, Any] = _NOTHING  # defaults of settings that differ from those of the fields
    excludes: Mapping[str, tuple[str, str]] = _NOTHING  # setting -> (a value that does not work with it, the reason)
    tasks: tuple[str, ...] = (DATA, ENVIRONMENT, FUNCTION)  # the kinds of task that it is for
    searched: bool = True  # whether a search over all words of the axis draws it
    searches: tuple[str, ...] = ()  # the settings that `nograd search` draws if the user names none
    form: str = ""  # how the word is written with its arguments: mlp:128,64
    policy: str = ""  # module:function used in place of `build` if the task is an environment
    pattern: str = ""  # environment sources: a regular expression for the names that the source may know
    suffixes: tuple[str, ...] = ()  # data formats: the suffixes of file names
    compressed: bool = False  # data formats: whether the format itself is compressed, so that .gz never follows
    cells: str = ""  # data formats of text: module:function that reads the cells as text
    headless: bool = False  # data formats of text: whether both functions take headless=True for a file without names
    in_jax: bool = False  # environment sources: whether episodes are compiled into a JAX program
    targets: Mapping[str, str] = _NOTHING  # fitnesses and metrics: kind of target -> the object for it
    whole: bool = False  # fitnesses: whether it is one number for the whole batch instead of one for each example
    measure: Measure | None = None  # metrics: direction, format and unit of the score


class Axis(NamedTuple):
    """All words that one setting accepts."""

    what: str  # its name in errors: "strategy"
    entries: Mapping[str, Entry]

    @property
    def words(self) -> tuple[str, ...]:
        """All words of the axis, in the order of the registry."""
        return tuple(self.entries)

    @property
    def range(self) -> str:
        """The range, as text, of a search over all words."""
        return f"choice({', '.join(word for word, entry in self.entries.items() if entry.searched)})"

    def entry(self, word: str) -> Entry:
        """The entry of a word. Raises ConfigError with the nearest words if there is none."""
        if word not in self.entries:
            raise ConfigError(f"unknown {self.what} {word!r}{did_you_mean(word, self.entries)}")
        return self.entries[word]

    def builder(self, word: str) -> Any:
        """The function that makes the object of a word; imports its module."""
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
        """For a kind of target: each word that is for it, with the object that it names; the default first."""
        return {word: entry.targets[kind] for word, entry in self.entries.items() if kind in entry.targets}

    def specific_settings(self) -> Iterator[str]:
        """The settings that some words use and others do not."""
        yield from dict.fromkeys(name for entry in self.entries.values() for name in entry.reads)


def load(path: str) -> Any:
    """The object that "module:name" names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
