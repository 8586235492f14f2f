"""What each strategy makes of the settings: its defaults, which of them it reads, and what a recipe may hand on.

Nothing here imports JAX, so that `nograd --help` and a wrong flag answer at once.
"""

from collections.abc import Mapping
from typing import Any

from nograd.types import ConfigError

DEFAULT = "openai-es"
_CLIMBERS = ("openai-es", "ars", "pgpe")  # by an Optax optimizer
_LEARNERS = ("snes", "pgpe", "sep-cma-es")  # of a sigma for each parameter
# Who reads a setting that not all strategies do.
READERS: dict[str, tuple[str, ...]] = {
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
# What was chosen for one strategy suits no other.
OWN = {*READERS, "noise", "sigma", "mirrored", "population"}
# Where they differ from the fields' own.
DEFAULTS: dict[str, dict[str, Any]] = {
    "ars": {"optimizer": "sgd", "lr": 0.05},
    "snes": {"noise": "gaussian", "sigma": 0.1, "lr": 1.0},
    "pgpe": {"noise": "gaussian"},
    "sep-cma-es": {"noise": "gaussian", "sigma": 0.1, "mirrored": False},
}


def standing(strategy: str | None, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of all settings under a strategy, from those of the fields."""
    return {**defaults, **DEFAULTS.get(strategy or DEFAULT, {})}


def laid_under(recipe: Mapping[str, Any], wanted: str | None) -> dict[str, Any]:
    """The settings of a recipe over the defaults of the wanted strategy, or of the recipe's own.

    A recipe for another strategy than the wanted one hands on the rest: task, model, batch and so on.
    """
    own = recipe.get("strategy") or DEFAULT
    strategy = wanted or own
    kept = recipe if strategy == own else {name: value for name, value in recipe.items() if name not in OWN}
    return {**DEFAULTS.get(strategy, {}), **kept} | ({"strategy": wanted} if wanted else {})


def check_read(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raises ConfigError for a setting that is not at its default although the strategy does not read it, or for noise
    that it can learn nothing from.

    Args:
        values: all settings, the strategy among them.
        defaults: of the fields.
    """
    strategy = values["strategy"]
    if strategy.startswith("("):  # a Python object, which has read nothing of it
        return
    default = standing(strategy, defaults)
    for name, readers in READERS.items():
        if strategy not in readers and values[name] != default[name]:
            raise ConfigError(
                f"--{name.replace('_', '-')} {values[name]} is for {_listed(readers)}, and the strategy is {strategy}; "
                f"leave it out, or use --strategy {readers[0]}"
            )
    if strategy in _LEARNERS and values["noise"] == "rademacher":
        raise ConfigError(
            f"--noise cannot be rademacher with {strategy}, which learns sigma from the size of the draws: all of "
            "rademacher's are equal; use gaussian or table"
        )


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
