"""The choices that other settings hang on, strategy and perturbation: who reads what, and what a recipe hands on.

Nothing here imports JAX, so that `nograd --help` and a wrong flag answer at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from nograd.core.types import ConfigError


class Choice(NamedTuple):
    """A setting whose value says which others have a meaning, and what they stand at."""

    name: str  # of the setting
    default: str
    readers: dict[str, tuple[str, ...]]  # of each setting that not all of its values read
    own: frozenset[str]  # settings that were chosen for one value and suit no other
    defaults: dict[str, dict[str, Any]]  # by value, where they differ from the fields' own


_CLIMBERS = ("openai-es", "ars", "pgpe")  # by an Optax optimizer
_LEARNERS = ("snes", "pgpe", "sep-cma-es")  # of a sigma for each parameter
_BY_STRATEGY: dict[str, tuple[str, ...]] = {
    "perturbation": ("openai-es", "ars"),
    "shaping": ("openai-es", "pgpe"),
    "optimizer": _CLIMBERS,
    "lr": (*_CLIMBERS, "snes"),
    "lr_schedule": _CLIMBERS,
    "momentum": _CLIMBERS,
    "mirrored": ("openai-es", "snes", "pgpe"),  # ars always is, sep-cma-es never
    "weight_decay": _CLIMBERS,
    "lr_sigma": ("snes", "pgpe"),
    "top": ("ars",),
}
STRATEGY = Choice(
    "strategy",
    "openai-es",
    _BY_STRATEGY,
    frozenset({*_BY_STRATEGY, "noise", "sigma", "population"}),
    {
        "ars": {"optimizer": "sgd", "lr": 0.05},
        "snes": {"noise": "gaussian", "sigma": 0.1, "lr": 1.0},
        "pgpe": {"noise": "gaussian"},
        "sep-cma-es": {"noise": "gaussian", "sigma": 0.1, "mirrored": False},
    },
)
_BY_PERTURBATION: dict[str, tuple[str, ...]] = {
    "directions": ("lowrank", "node"),
    "rank": ("lowrank",),
    "group": ("lowrank",),
    "densify": ("lowrank", "node"),
}
PERTURBATION = Choice(
    "perturbation",
    "dense",
    _BY_PERTURBATION,
    # The unit of sigma is another for node, tables and private batches are dense's, and elsewhere a population and
    # what counts directions of it may follow from the batch.
    frozenset({*_BY_PERTURBATION, "sigma", "noise", "batch_sharing", "population", "top"}),
    {},
)
CHOICES = (STRATEGY, PERTURBATION)  # a strategy may leave no choice of the perturbation


def chosen(values: Mapping[str, Any]) -> dict[str, str]:
    """The value of each choice, its default where there is none."""
    return {choice.name: values.get(choice.name) or choice.default for choice in CHOICES}


def standing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of all settings under the choices among `values`, from those of the fields."""
    under = chosen(values)
    own = [choice.defaults.get(under[choice.name], {}) for choice in CHOICES]
    return {**defaults, **chosen({}), **{name: value for each in own for name, value in each.items()}}


def laid_under(recipe: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a recipe over the defaults of the wanted choices, or of the recipe's own; all choices named.

    Where another strategy or perturbation is wanted than the recipe's, what it chose for its own is laid aside, and
    the rest handed on: task, model, batch and so on.
    """
    kept, under = dict(recipe), {}
    for choice in CHOICES:
        before = recipe.get(choice.name) or choice.default
        now = wanted.get(choice.name) or kept.get(choice.name) or choice.default
        if now != before:
            kept = {name: value for name, value in kept.items() if name not in choice.own}
        under[choice.name] = now
    return {**standing(under, {}), **kept, **under}


def check_read(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raises ConfigError for a setting that is not at its default although the strategy or the perturbation does not
    read it, or for noise that the strategy can learn nothing from.

    Args:
        values: all settings, the choices among them.
        defaults: of the fields.
    """
    default = standing(values, defaults)
    for choice in CHOICES:
        now = values[choice.name]
        if now.startswith("("):  # a Python object, which has read nothing of it
            continue
        for name, readers in choice.readers.items():
            if now not in readers and values[name] != default[name]:
                raise ConfigError(
                    f"{_flag(name, values[name])} is for {_listed(readers)}, and the {choice.name} is {now}; "
                    f"leave it out, or use --{choice.name} {readers[0]}"
                )
    if values["strategy"] in _LEARNERS and values["noise"] == "rademacher":
        raise ConfigError(
            f"--noise cannot be rademacher with {values['strategy']}, which learns sigma from the size of the draws: "
            "all of rademacher's are equal; use gaussian or table"
        )


def _flag(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
