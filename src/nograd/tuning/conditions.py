"""Conditions between settings: a searched setting is drawn only where the other settings let it change the training."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nograd.config.dependencies import CHOICES, STRATEGY, over_defaults
from nograd.config.settings import TrainConfig, settings
from nograd.config.task_settings import is_environment
from nograd.tuning.study.records import Condition, Dimension


def conditions(name: str, task: str | None = None) -> tuple[Condition, ...]:
    """What must hold for a setting to change the training: its field's own condition, and choices that read it."""
    own: tuple[Condition, ...] = (_WHEN[name],) if name in _WHEN else ()
    if is_environment(task):  # a low-rank population does not follow from a batch there
        own = tuple((parent, (*among, "lowrank") if parent == "perturbation" else among) for parent, among in own)
    return (*own, *((choice.name, choice.readers[name]) for choice in CHOICES if name in choice.readers))


def effective(base: TrainConfig, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a training, by name, with the drawn ones over the base's.

    A setting that has no meaning with the drawn ones is at its default. With another strategy or perturbation than the
    base's, so is whatever was chosen for that one, as in `nograd train --preset NAME --strategy ANOTHER`.
    """
    values = {**_DEFAULTS, **over_defaults(settings(base), drawn), **drawn}
    void = [name for name, (parent, among) in _WHEN.items() if parent in drawn and values[parent] not in among]
    return values | {name: _DEFAULTS[name] for name in void if _WHEN[name][0] not in _LAID}


def holds(dimension: Dimension, values: Mapping[str, Any]) -> bool:
    """Whether a setting is drawn, given the values of the others."""
    return all(values[parent] in among for parent, among in dimension.when)


def possible(name: str, space: Mapping[str, Dimension], base: TrainConfig) -> set[Any]:
    """The values that a setting can have in a space: what is drawn, and what it is where it is not drawn."""
    strategies = space["strategy"].choices if "strategy" in space else (base.strategy or STRATEGY.default,)
    drawn_for = [strategy for strategy in strategies if strategy in STRATEGY.readers.get(name, strategies)]
    if name not in space:
        drawn_for = []
    drawn = set(space[name].choices) if drawn_for else set()
    rest = [strategy for strategy in strategies if strategy not in drawn_for]
    return drawn | {effective(base, {"strategy": strategy})[name] for strategy in rest}


def live(dimension: Dimension, space: Mapping[str, Dimension], base: TrainConfig) -> tuple[Condition, ...]:
    """Its conditions that can fail in this space, each with the values that occur; one without values never holds."""
    kept = []
    for parent, among in dimension.when:
        could = possible(parent, space, base)
        if not could <= set(among):
            kept.append((parent, tuple(value for value in among if value in could)))
    return tuple(kept)


_DEFAULTS = settings(TrainConfig())
_LAID = {choice.name for choice in CHOICES}  # settings that depend on them are reset already
_WHEN: dict[str, Condition] = {
    field.name: field.metadata["when"] for field in fields(TrainConfig) if "when" in field.metadata
}
