"""Reads the value of a setting from the text of a flag, or checks a value from TOML or Python.

All three use the same check of type and allowed words, so that they accept the same values.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from nograd.config.fields import POSITIONAL
from nograd.core.text import nearest
from nograd.core.types import ConfigError

_NAMES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_SHOWN = 60  # the most characters of a user's value that an error shows


class Form(NamedTuple):
    """The values that a type hint accepts."""

    types: tuple[type, ...]
    choices: tuple[str, ...] = ()  # empty: any
    optional: bool = False  # whether None is allowed
    many: bool = False  # whether the value is a tuple of any length
    positional: bool = False  # whether it is an argument without a flag

    @property
    def named(self) -> str:
        """The form in words: "a whole number"."""
        return " or ".join(_NAMES[kind] for kind in self.types)


@cache
def form_of(hint: Any) -> Form:
    """The form of a field's type hint."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        return form_of(inner)._replace(positional=POSITIONAL in marks)
    if get_origin(hint) in (Union, UnionType):
        kinds = get_args(hint)
        forms = [form_of(kind) for kind in kinds if kind is not NoneType]
        types = tuple(dict.fromkeys(kind for form in forms for kind in form.types))
        words = tuple(word for form in forms for word in form.choices)
        return forms[0]._replace(types=types, choices=words, optional=NoneType in kinds)
    if get_origin(hint) is Literal:
        return Form((str,), get_args(hint))
    if get_origin(hint) is tuple:
        return form_of(get_args(hint)[0])._replace(many=True)
    return Form((hint,))


class Setting(NamedTuple):
    """One field of a dataclass of settings."""

    name: str
    form: Form
    default: Any
    metadata: Mapping[str, Any]  # the field's metadata, see `fields.setting`

    @property
    def flag(self) -> str:
        """The name on the command line."""
        name = self.metadata.get("flag") or self.name.replace("_", "-")
        return self.name.upper() if self.form.positional else f"--{name}"

    @property
    def required(self) -> bool:
        """Whether the setting has no default."""
        return self.default is MISSING


def settings_of(kind: type) -> list[Setting]:
    """The settings of a dataclass, in order."""
    hints = get_type_hints(kind, include_extras=True)
    return [Setting(field.name, form_of(hints[field.name]), field.default, field.metadata) for field in fields(kind)]


def checked(setting: Setting, value: Any, label: str, objects: bool = False) -> Any:
    """A value in the type of its setting: NumPy's numbers as Python's, whole numbers as floats if the type is float.

    Args:
        setting: the setting.
        value: as TOML or Python gave it.
        label: names the setting in errors.
        objects: whether a word in brackets is accepted: in config.json it stands for a Python object.

    Raises:
        ConfigError: the value has another type, or is not one of the allowed words.
    """
    value, form, metadata = _plain(value), setting.form, setting.metadata
    if value is None and form.optional:
        return None
    if form.choices:
        words = metadata["axis"].words if "axis" in metadata else form.choices  # a registry may have grown
        return _word(words, value, label, objects)
    if type(value) in form.types:
        return value if type(value) is not str else _text(value, label)
    if float in form.types and type(value) is int:
        with suppress(OverflowError):
            return float(value)
    if str in form.types and metadata.get("numeric") and type(value) in (int, float):
        return str(value)
    if str in form.types and metadata.get("path") and isinstance(path := _path(value), str):
        return _text(path, label)
    raise ConfigError(f"{label} must be {form.named}, got {short_repr(value)}")


def ranged(setting: Setting, value: Any, objects: bool = False) -> Any:
    """`checked`, and then the setting's own check, such as a range. Raises ConfigError if one of them refuses."""
    value = checked(setting, value, setting.flag, objects)
    check = setting.metadata.get("check")
    if value is not None and check and (remedy := check(value)):
        said = short_repr(value) if isinstance(value, str) else value
        raise ConfigError(f"{setting.flag} cannot be {said}; {remedy}")
    return value


def read(form: Form, text: str, label: str) -> Any:
    """The value of a flag's text; None for "None" if allowed. Raises ConfigError if it is not a number and must be."""
    if form.optional and text == "None":
        return None
    for kind in (int, float):
        if kind in form.types:
            with suppress(ValueError):
                return kind(text)
    if str in form.types:
        return text
    raise ConfigError(f"{label} must be {form.named}, got {short_repr(text)}")


def short_repr(value: object) -> str:
    """The `repr` of a value, cut to one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX, or a subclass of str, as Python's own type."""
    if isinstance(value, str):
        return str(value)
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        return value.item()
    return value


def _word(choices: tuple[str, ...], value: Any, label: str, objects: bool) -> str:
    if isinstance(value, str) and (value in choices or (objects and value.startswith("("))):
        return value
    near = isinstance(value, str) and nearest(value, choices)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(choices)}"
    raise ConfigError(f"{label} cannot be {short_repr(value)}; {remedy}")


def _text(value: str, label: str) -> str:
    """The text itself. Raises ConfigError for characters that files, terminals or config.json cannot hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{label} cannot be {short_repr(value)}: it is not UTF-8; use other characters") from None
    if "\0" in value:
        raise ConfigError(f"{label} cannot be {short_repr(value)}: it has a null character; leave that out")
    return value


def _path(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else None
