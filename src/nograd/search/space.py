"""The search space: which settings are drawn, from what, and the training that a draw makes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from nograd.config import TrainConfig, did_you_mean, settings, validate
from nograd.search.dimension import describe, parse_dimension, value_at
from nograd.search.records import Dimension
from nograd.types import ConfigError

Changes = Mapping[str, str]  # words by name; "" for a field's own range

# What is worth a search, by perturbation: it changes the training, and the ranges suit any of its recipes.
_DEFAULT = {
    "dense": ("sigma", "lr", "optimizer", "momentum", "shaping", "population", "batch"),
    "lowrank": ("sigma", "lr", "optimizer", "momentum", "rank", "directions", "batch"),
    "node": ("sigma", "lr", "optimizer", "momentum", "directions", "batch"),
}
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


def make_space(base: TrainConfig, start: str, changes: Changes, examples: int | None = None) -> list[Dimension]:
    """The space of a study, parents before children.

    Args:
        base: the settings that are not searched.
        start: "default" (what suits the perturbation), "blog", or "only" (what `changes` name and no more).
        changes: laid over the start.
        examples: of the training split; the default's batches end there.

    Raises:
        ConfigError: no such setting, no such distribution, or one that nothing would depend on.
    """
    first = _first(base, start, changes, examples)
    space = [_dimension(name, words) for name, words in {**first, **changes}.items()]
    space.sort(key=lambda dimension: dimension.when is not None)
    values = {dimension.name: dimension.choices for dimension in space}
    kept = []
    for dimension in space:
        parent, among = dimension.when or ("", ())
        possible = values.get(parent, (getattr(base, parent, None),))
        if parent and not set(possible) & set(among):
            if dimension.name in changes and dimension.kind != "fixed":
                raise ConfigError(
                    f"--search {dimension.name}: nothing depends on it where {parent} is "
                    f"{' or '.join(map(str, possible))}; leave it out, or let {parent} be {' or '.join(among)}"
                )
            continue
        asked = tuple(value for value in among if value in possible)
        kept.append(dimension._replace(when=(parent, asked) if parent in values else None))
    if all(dimension.kind == "fixed" for dimension in kept):
        raise ConfigError("there is nothing to search: every setting is fixed; add one, such as --search sigma lr")
    return kept


def draw(space: Sequence[Dimension], value: Callable[[Dimension], Any], base: TrainConfig) -> dict[str, Any]:
    """The settings of one trial, by name; a child is drawn where its parent's value asks for it."""
    drawn: dict[str, Any] = {}
    for dimension in space:
        parent, among = dimension.when or ("", ())
        if not parent or drawn.get(parent, getattr(base, parent)) in among:
            drawn[dimension.name] = value(dimension)
    return drawn


def trial_config(base: TrainConfig, drawn: Mapping[str, Any], seed: int) -> TrainConfig:
    """The training that a draw makes. A setting that has no meaning with the drawn ones goes back to its default."""
    void = {
        field.name: field.default
        for field in fields(TrainConfig)
        if (when := field.metadata.get("when")) and when[0] in drawn and drawn[when[0]] not in when[1]
    }
    return replace(base, **{**void, **drawn, "seed": seed})


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
    """A line a setting, for a person."""
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


def _first(base: TrainConfig, start: str, changes: Changes, examples: int | None) -> dict[str, str]:
    if start == "blog":
        return dict(_BLOG)
    if start == "only":
        return {}
    perturbation = changes.get("perturbation", f"fixed({base.perturbation})")
    names = [name for kind, names in _DEFAULT.items() if kind in perturbation for name in names]
    first = dict.fromkeys(filter(lambda name: _suits(base, name), names), "")
    if examples is not None and "batch" in first:
        first["batch"] = _batches(examples)
    return first


def _suits(base: TrainConfig, name: str) -> bool:
    """Whether the setting's own range can be trained with the base: not every recipe reads every setting."""
    dimension = _dimension(name, "")
    parent, among = dimension.when or ("seed", (base.seed,))
    try:
        for quantile in (0.01, 0.5, 0.99):
            validate(trial_config(base, {parent: among[0], name: value_at(dimension, quantile)}, base.seed))
    except ConfigError:
        return False
    return True


def _batches(examples: int) -> str:
    """The range of --batch without what a small data set cannot give."""
    own = parse_dimension("batch", searchable()["batch"]["search"])
    return f"choice({', '.join(str(size) for size in own.choices if size <= examples) or examples})"


def _dimension(name: str, words: str) -> Dimension:
    known = searchable()
    if name not in known:
        what = "cannot be searched" if name in settings(TrainConfig()) else "is no setting"
        raise ConfigError(f"--search {name}: {name} {what}{did_you_mean(name, known)}")
    return parse_dimension(name, words or known[name]["search"], known[name].get("when"))


def _hash(seed: int, *words: object) -> int:
    """64 bits of SHA-256 of the address."""
    text = "\n".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
