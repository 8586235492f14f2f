"""Recipes: TOML files of settings, of the user or shipped with the package (presets). Flags override them.

Nothing here imports JAX, so that a wrong flag answers at once.
"""

import tomllib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from nograd.config import values
from nograd.config.dependencies import over_defaults
from nograd.config.settings import TrainConfig, all_settings, recipe_fields, settings
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError

# The purposes of the shipped recipes, in the order of `nograd presets`.
GROUPS = (
    "Defaults of tasks",
    "Networks without a gradient",
    "Methods as published, and variants",
    "The blog post of 2017",
)


@dataclass(frozen=True)
class Recipe:
    """A TOML file: settings as keys, and two optional tables: [about] with group (one of `GROUPS`), title, source and
    figure, and [search] with the ranges of `nograd search`.
    """

    settings: dict[str, Any]
    about: dict[str, str]
    search: dict[str, Any]


def read_recipe(path: str | Path) -> Recipe:
    """A recipe from a TOML file. Raises ConfigError if it is missing, malformed or has unknown keys."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")  # editors on Windows begin a file with a byte-order mark
    except OSError as error:
        raise ConfigError(f"cannot read --config {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    return parse_recipe(text, str(path))


def parse_recipe(text: str, origin: str) -> Recipe:
    """A recipe from TOML text; `origin` names it in errors."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number with too many digits is a plain ValueError
        raise ConfigError(f"{origin} is not TOML: {error}") from error
    about, search = _table(content, "about", origin), _table(content, "search", origin)
    return Recipe({name: checked(name, value, origin) for name, value in content.items()}, about, search)


def checked(name: str, value: Any, origin: str) -> Any:
    """A recipe's value in the type of its field. Raises ConfigError, with `origin` in the text, if it is wrong."""
    known = recipe_fields()
    if name not in known:
        if name in all_settings():
            raise ConfigError(
                f"{origin}: {name!r} is no part of a recipe; give it to the command that reads the recipe"
            )
        raise ConfigError(f"{origin}: unknown setting {name!r}{did_you_mean(name, known)}")
    return values.checked(known[name], value, f"{origin}: {name}")


def to_toml(config: TrainConfig) -> str:
    """The config as TOML text, for `parse_recipe`. Settings that are None are left out: TOML has no null."""
    return tomli_w.dumps({name: value for name, value in settings(config).items() if value is not None})


def presets() -> dict[str, Recipe]:
    """The recipes that ship with the package, by name."""
    folder = resources.files("nograd.config.presets")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return {name[:-5]: parse_recipe((folder / name).read_text("utf-8"), f"preset {name[:-5]}") for name in names}


def preset(name: str) -> Recipe:
    """The shipped recipe of this name. Raises ConfigError with the nearest names."""
    known = presets()
    if name not in known:
        raise ConfigError(f"unknown preset {name!r}{did_you_mean(name, known)}")
    return known[name]


def base_config(given: TrainConfig) -> TrainConfig:
    """The settings that the flags of `given` change: those of --config or --preset, else of the task's own preset.

    Settings that the recipe chose for another strategy or perturbation than that of `given` are left out.
    """
    if given.config and given.preset:
        raise ConfigError(f"--config {given.config} and --preset {given.preset} exclude each other; give one")
    if given.config:
        recipe = read_recipe(given.config).settings
    elif given.preset:
        recipe = preset(given.preset).settings
    else:
        own = _own_recipe(given.task)
        recipe = own.settings if own else {}
    return replace(TrainConfig(), **over_defaults(recipe, settings(given)))


def _table(content: dict[str, Any], name: str, origin: str) -> dict[str, Any]:
    """Takes a table out of a file's content; {} if there is none."""
    table = content.pop(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{origin}: [{name}] must be a table, got {values.short_repr(table)}")
    return table


def _own_recipe(task: str | None) -> Recipe | None:
    """The recipe with the name of the task, or the one whose pattern matches the task."""
    known = presets()
    if task in known:
        return known[task]
    patterns = [(pattern, recipe) for recipe in known.values() for pattern in recipe.about.get("for", "").split()]
    word = (task or "").lower()  # DATA.CSV matches *.csv
    return next((recipe for pattern, recipe in patterns if fnmatchcase(word, pattern.lower())), None)
