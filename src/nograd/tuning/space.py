"""The search space: the searched settings with their distributions, and the config that a draw gives."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from nograd.config.axes import PERTURBATIONS
from nograd.config.dependencies import CHOICES
from nograd.config.settings import TrainConfig, settings
from nograd.config.task_settings import is_environment, kind_of, reads
from nograd.config.validate import validate
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.tuning.conditions import conditions, effective, holds, live, possible
from nograd.tuning.dimension import describe, parse_dimension, value_at
from nograd.tuning.study.records import Dimension

Changes = Mapping[str, str]  # words by name; "" for a field's own range

# The post's own: npop uniform in 1..150, α from its list, σ = √χ² on the scale of a uniform's standard deviation.
_BLOG = {
    "population": "int(1, 150)",
    "lr": "choice(1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1)",
    "sigma": "chi()",
}
_DRY_DRAWS = 100


def searchable() -> dict[str, Mapping[str, Any]]:
    """The metadata of every setting that has a range, by name."""
    return {field.name: field.metadata for field in fields(TrainConfig) if "search" in field.metadata}


def own_range(name: str, task: str | None) -> str:
    """The words of the range that a searchable setting has where no other is given."""
    if name == "perturbation":
        return f"choice({', '.join(PERTURBATIONS.suited(kind_of(task)))})"
    return searchable()[name]["search"]


def make_space(base: TrainConfig, start: str, changes: Changes, examples: int | None = None) -> list[Dimension]:
    """The space of a study, parents before children.

    Args:
        base: the settings that are not searched.
        start: "default" (what suits the perturbation), "blog", or "only" (what `changes` name and no more).
        changes: laid over the start.
        examples: of the training split; the default's batches end there. None: not known, or an environment.

    Raises:
        ConfigError: there is no such setting or distribution, or the setting would change no training.
    """
    asked = {name: _dimension(name, words, base.task) for name, words in changes.items()}
    first = _first(base, start, asked, examples)
    named = {name: _dimension(name, words, base.task) for name, words in first.items()} | asked
    kept = []
    for dimension in named.values():
        when = live(dimension, named, base)
        if not all(among for _, among in when):
            if dimension.name in changes and dimension.kind != "fixed":
                raise _without_effect(dimension, named, base)
            continue
        kept.append(dimension._replace(when=when))
    kept = _parents_first(kept)
    if all(dimension.kind == "fixed" for dimension in kept):
        raise ConfigError("there is nothing to search: every setting is fixed; add one, such as --search sigma lr")
    return kept


def draw(space: Sequence[Dimension], value: Callable[[Dimension], Any], base: TrainConfig) -> dict[str, Any]:
    """The settings of one trial, by name; one with conditions is drawn only where they hold."""
    drawn: dict[str, Any] = {}
    for dimension in space:
        if not dimension.when or holds(dimension, effective(base, drawn)):
            drawn[dimension.name] = value(dimension)
    return drawn


def trial_config(base: TrainConfig, drawn: Mapping[str, Any], seed: int) -> TrainConfig:
    """The training that a draw makes; see `conditions.effective` for the settings that are not drawn."""
    return replace(base, **{**effective(base, drawn), "seed": seed})


def address(seed: int, *words: object) -> float:
    """u in 0 < u < 1, a hash of the address: uniform and independent from one address to the next."""
    return ((_hash(seed, *words) >> 12) + 0.5) / 2**52


def seed_at(seed: int, *words: object) -> int:
    """A seed in 0 to 2³² − 1 for an address."""
    return _hash(seed, *words) >> 32


def random_value(seed: int, number: int) -> Callable[[Dimension], Any]:
    """The values of a trial, each addressed by (seed, number, name): no stream, so no order of draws."""
    return lambda dimension: value_at(dimension, address(seed, number, dimension.name))


def try_draws(base: TrainConfig, space: Sequence[Dimension]) -> tuple[int, str]:
    """How many of 100 draws cannot be trained, and why the first cannot. Raises ConfigError where none can."""
    reasons = []
    for number in range(_DRY_DRAWS):
        try:
            validate(trial_config(base, draw(space, random_value(0, number), base), 0))
        except ConfigError as error:
            reasons.append(str(error))
    if len(reasons) == _DRY_DRAWS:
        raise ConfigError(f"nothing in this space can be trained: {reasons[0]}")
    return len(reasons), reasons[0] if reasons else ""


def space_lines(space: Sequence[Dimension]) -> list[str]:
    """One line per setting, for a person."""
    width = max(len(dimension.name) for dimension in space)
    return [f"  {dimension.name:<{width}}  {describe(dimension)}" for dimension in space]


def parse_changes(words: Sequence[str]) -> dict[str, str]:
    """NAME=DISTRIBUTION or NAME, each once."""
    changes: dict[str, str] = {}
    for word in words:
        name, _, text = map(str.strip, word.partition("="))
        if name in changes:
            raise ConfigError(f"--search names {name} twice; leave one out")
        changes[name] = text
    return changes


def _first(base: TrainConfig, start: str, asked: Mapping[str, Dimension], examples: int | None) -> dict[str, str]:
    if start == "blog":
        return dict(_BLOG)
    if start == "only":
        return {}
    kinds = possible("perturbation", asked, base)
    suits = [name for kind, entry in PERTURBATIONS.entries.items() if kind in kinds for name in entry.searches]
    first = {name: "" for name in suits if reads(base.task, name)}
    if examples is not None:
        first["batch"] = _batches(examples)
    return first


def _parents_first(space: Sequence[Dimension]) -> list[Dimension]:
    """The dimensions by how many others each waits for, one after the other; the order is kept where it can be.

    The choices come before the rest: one that is not drawn may follow from one that is.
    """
    parents = {dimension.name: [parent for parent, _ in dimension.when] for dimension in space}

    def depth(name: str) -> int:
        return 1 + max((depth(parent) for parent in parents[name] if parent in parents), default=-1)

    first = {choice.name for choice in CHOICES}
    return sorted(space, key=lambda dimension: (depth(dimension.name), dimension.name not in first))


def _without_effect(dimension: Dimension, named: Mapping[str, Dimension], base: TrainConfig) -> ConfigError:
    """The error for a setting that changes no training of this space."""
    parent = next(parent for parent, among in live(dimension, named, base) if not among)
    among = dict(dimension.when)[parent]
    now = " or ".join(sorted(map(str, possible(parent, named, base))))
    return ConfigError(
        f"--search {dimension.name}: nothing depends on it where {parent} is {now}; leave it out, or let {parent} be "
        f"{' or '.join(among)}"
    )


def _batches(examples: int) -> str:
    """The range of --batch without what a small data set cannot give."""
    own = parse_dimension("batch", searchable()["batch"]["search"])
    return f"choice({', '.join(str(size) for size in own.choices if size <= examples) or examples})"


def _dimension(name: str, words: str, task: str | None) -> Dimension:
    known = searchable()
    if name not in known:
        what = "cannot be searched" if name in settings(TrainConfig()) else "is no setting"
        raise ConfigError(f"--search {name}: {name} {what}{did_you_mean(name, known)}")
    if not reads(task, name):
        kind = "an environment" if is_environment(task) else "a data set"
        raise ConfigError(f"--search {name}: the task {task} is {kind}, which does not read it; leave it out")
    return parse_dimension(name, words or own_range(name, task), conditions(name, task))


def _hash(seed: int, *words: object) -> int:
    """64 bits of SHA-256 of the address."""
    text = "\n".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
