"""Merges the settings that the user gave with those of a recipe or of a saved run into one `TrainConfig`.

The command line and the Python functions both use it; a recipe's TOML passes the same checks (see `values`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from nograd.config.dependencies import OPTIMIZER
from nograd.config.recipes import base_config
from nograd.config.settings import TrainConfig, all_settings, changeable, recipe_fields
from nograd.config.task_settings import is_file
from nograd.config.values import Setting, checked, short_repr
from nograd.core.text import nearest
from nograd.core.types import ConfigError

# The names that other libraries use for some settings.
ALIASES = {
    "learning_rate": "lr", "epochs": "generations", "iterations": "generations", "steps": "generations",
    "batch_size": "batch", "popsize": "population", "population_size": "population", "std": "sigma",
    "noise_std": "sigma", "dataset": "task", "env": "task", "network": "model", "loss": "fitness",
    "algorithm": "strategy", "random_state": "seed", "n_jobs": "workers", "num_workers": "workers",
    "output": "out", "output_dir": "out", "rank_r": "rank", "l2": "weight_decay", "early_stopping": "patience",
}  # fmt: skip


def check_given(given: Mapping[str, Any], known: Mapping[str, Setting] | None = None) -> dict[str, Any]:
    """Checks settings from Python, and converts each to the type of its field.

    Args:
        given: values by the names of the settings.
        known: the settings that are accepted; default those of a training.

    Raises:
        ConfigError: a name is not that of a setting, or a value is not valid for its setting.
    """
    known = all_settings() if known is None else known
    for name in given:
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}{suggestion(name, known) or listed(known)}")
    return {name: checked(known[name], value, name) for name, value in given.items()}


def merge(given: Mapping[str, Any], saved: TrainConfig | None = None) -> TrainConfig:
    """The given settings, and for all others those of the recipe or of the resumed run.

    Args:
        given: checked values by the names of the settings.
        saved: the settings of the run to resume; None for a new run.

    Raises:
        ConfigError: there is no such recipe, or a resumed run cannot change a given setting.
    """
    if saved is None:
        base = base_config(replace(TrainConfig(), **given))
        return replace(base, **{**_void(given, base), **given})
    check_resumption(given, saved)
    return replace(saved, **given)


def _void(given: Mapping[str, Any], base: TrainConfig) -> dict[str, Any]:
    """The defaults of settings that the recipe set for its optimizer, and that the given optimizer does not use."""
    now = given.get("optimizer", base.optimizer)
    unread = [name for name, readers in OPTIMIZER.readers.items() if now != base.optimizer and now not in readers]
    return {name: getattr(TrainConfig(), name) for name in unread}


def check_resumption(given: Mapping[str, Any], saved: TrainConfig) -> None:
    """Raises ConfigError for a given setting that a resumed run may not change."""
    for name in ("preset", "config", "init", "out"):
        if given.get(name) is not None:
            raise ConfigError(
                f"--{name} {given[name]} cannot go with --resume, which goes on with the settings of a run, in its own "
                "directory; leave it out"
            )
    check_unchanged(given, saved)


def check_unchanged(wanted: Mapping[str, Any], saved: TrainConfig) -> None:
    """Raises ConfigError if a wanted value differs from the saved one and a resumed run may not change it."""
    for name, one in recipe_fields().items():
        before = getattr(saved, name)
        if name == "task" and is_file(before) and is_file(wanted.get(name)):
            continue  # the file may have been moved: its checksum is compared instead
        if name in wanted and name not in may_change(saved) and wanted[name] != before:
            raise ConfigError(
                f"cannot resume with another {one.flag}: the run has {short_repr(before)}, "
                f"got {short_repr(wanted[name])}; leave it out, or start a new run"
            )


def may_change(saved: TrainConfig) -> frozenset[str]:
    """The settings that a resumed run may change. `generations` is not among them if the learning rate depends on it:
    with a larger number it would be another run.
    """
    return changeable() - {"generations"} if saved.lr_schedule in ("linear", "cosine") else changeable()


def listed(known: Iterable[str]) -> str:
    """The text "; known: …" with all names."""
    return f"; known: {', '.join(known)}"


def suggestion(name: str, known: Collection[str], prefix: str = "") -> str:
    """The text "; did you mean …?" for an unknown name: the setting that other libraries call so, or the nearest name;
    "" if there is none.
    """
    # Each spelling, also a misspelt alias (leraning_rate), with the setting that it stands for.
    meant = {one: one for one in known} | {alias: one for alias, one in ALIASES.items() if one in known}
    asked = name.lower().replace("-", "_")
    near = [asked] if asked in ALIASES and asked in meant else nearest(asked, meant)
    said = dict.fromkeys(f"{prefix}{meant[one].replace('_', '-') if prefix else meant[one]}" for one in near)
    return f"; did you mean {' or '.join(said)}?" if said else ""
