"""Several names in the text of one setting, separated by commas as in a line of a CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from nograd.core.types import ConfigError


def name_list(text: str | None) -> tuple[str, ...]:
    """The names in a text: width,"height, in cm"."""
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True))) if text else ()


def kinds_of(text: str | None) -> dict[str, str]:
    """Kinds by column from a text: zip=category,when=date. Raises ConfigError if a name or a kind is missing."""
    return pairs_of(text, "--as", "NAME=KIND, such as --as zip=category")


def pairs_of(text: str | None, flag: str, form: str) -> dict[str, str]:
    """Values by name from a text: a=1,b=3. Raises ConfigError if a name or a value is missing.

    Args:
        text: the text; None is no pairs.
        flag: the flag that the text was given to, for errors.
        form: how such a text is written, for errors.
    """
    found = {}
    for part in name_list(text):
        name, _, value = part.rpartition("=")
        if not name or not value:
            raise ConfigError(f"{flag} cannot be {part!r}; write {form}")
        found[name] = value
    return found


def as_text(value: Any) -> Any:
    """A list of names, or a mapping of names to kinds, as such a text; any other value unchanged."""
    if isinstance(value, Mapping):
        return _line(f"{name}={kind}" for name, kind in value.items())
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return _line(value)
    return value


def _line(names: Iterable[str]) -> str | None:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(list(names))
    return written.getvalue() or None
