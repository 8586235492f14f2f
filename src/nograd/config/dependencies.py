"""Strategy and perturbation decide which other settings are used, and with which defaults.

Nothing here imports JAX, so that `nograd --help` and a wrong flag answer at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from nograd.config.axes import ENGINES, OPTIMIZERS, PERTURBATIONS, STRATEGIES
from nograd.config.registry import Axis
from nograd.config.settings import all_settings
from nograd.core.types import ConfigError


class Choice(NamedTuple):
    """A setting whose value decides which other settings are used, and what their defaults are."""

    name: str  # of the setting
    default: str
    axis: Axis

    @property
    def readers(self) -> dict[str, tuple[str, ...]]:
        """For each setting that only some words of this choice use: the words that use it."""
        return {name: self.axis.readers(name) for name in self.axis.specific_settings()}

    @property
    def own(self) -> frozenset[str]:
        """The settings whose value in a recipe suits only the recipe's own word of this choice."""
        return frozenset(name for name, one in all_settings().items() if self.name in one.metadata.get("follows", ()))

    @property
    def defaults(self) -> dict[str, Mapping[str, Any]]:
        """For each word, the defaults that differ from those of the fields."""
        return {word: entry.defaults for word, entry in self.axis.entries.items() if entry.defaults}


STRATEGY = Choice("strategy", "openai-es", STRATEGIES)
PERTURBATION = Choice("perturbation", "dense", PERTURBATIONS)
ENGINE = Choice("engine", "auto", ENGINES)
OPTIMIZER = Choice("optimizer", "adam", OPTIMIZERS)
CHOICES = (STRATEGY, PERTURBATION)  # in this order: some strategies work with one perturbation only


def chosen(values: Mapping[str, Any]) -> dict[str, str]:
    """The value of each choice; its default if it has no value."""
    return {choice.name: values.get(choice.name) or choice.default for choice in CHOICES}


def defaults_under(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of all settings: those of the fields, changed as the strategy and perturbation in `values` say."""
    under = chosen(values)
    own = [choice.defaults.get(under[choice.name], {}) for choice in CHOICES]
    return {**defaults, **chosen({}), **{name: value for each in own for name, value in each.items()}}


def over_defaults(recipe: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a training: those of a recipe, and defaults for the settings that it does not set.

    If `wanted` names another strategy or perturbation than the recipe, settings that suit only the recipe's choice
    get their defaults too; the others, such as task, model and batch, keep the recipe's values.
    """
    kept, under = dict(recipe), {}
    for choice in CHOICES:
        before = recipe.get(choice.name) or choice.default
        now = wanted.get(choice.name) or kept.get(choice.name) or choice.default
        if now != before:
            own = choice.own
            kept = {name: value for name, value in kept.items() if name not in own}
        under[choice.name] = now
    return {**defaults_under(under, {}), **kept, **under}


def check_read(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raises ConfigError for a changed setting that the strategy, perturbation, engine or optimizer does not use, or
    for a value that one of them does not support.

    Args:
        values: all settings, including strategy and perturbation.
        defaults: the defaults of the fields.
    """
    default = defaults_under(values, defaults)
    for choice in (*CHOICES, ENGINE, OPTIMIZER):
        now = values[choice.name]
        if now.startswith("("):  # a Python object, which uses none of these settings
            continue
        for name, readers in choice.readers.items():
            if now not in readers and values[name] != default[name]:
                raise ConfigError(
                    f"{_flag(name, values[name])} is for {_listed(readers)}, and the {choice.name} is {now}; "
                    f"leave it out, or use --{choice.name} {readers[0]}"
                )
        entry = choice.axis.entries.get(now)
        for name, (value, why) in entry.excludes.items() if entry else ():
            if values[name] == value:
                raise ConfigError(f"--{name.replace('_', '-')} cannot be {value} with {now}, {why}")


def _flag(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
