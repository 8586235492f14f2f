"""Where a study lies: its directory, its database and its name there. Plain files, without Optuna."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from nograd.core.json_text import to_json
from nograd.core.types import RunError

MARK, DATABASE = "study.json", "study.db"
_FORMAT = "nograd-study-2"


class StudyLocation(NamedTuple):
    """Where a study lies."""

    path: Path  # of its directory
    url: str  # of its database
    name: str  # in the database


def place_of(path: str | Path) -> StudyLocation:
    """The place of a study directory. Raises RunError where it is none."""
    path = Path(path)
    try:
        mark = json.loads((path / MARK).read_text("utf-8"))
        if mark["format"] != _FORMAT:
            raise RunError(f"{path}/{MARK} is of another version ({mark['format']}); use the nograd that wrote it")
        url, name = mark["storage"] or local_url(path), mark["name"]
        if not (isinstance(url, str) and isinstance(name, str)):
            raise TypeError(f"storage and name must be text, got {url!r} and {name!r}")
        return StudyLocation(path, url, name)
    except FileNotFoundError:
        raise RunError(f"{path} is not a study: it has no {MARK}; name one that nograd search wrote") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read {path}/{MARK}: {error}; it is not a study that nograd wrote") from error


def is_study(path: str | Path) -> bool:
    """Whether the directory holds a study."""
    return (Path(path) / MARK).is_file()


def mark_text(place: StudyLocation) -> str:
    """What study.json says; a database beside it is found wherever the directory is moved."""
    storage = None if place.url == local_url(place.path) else without_password(place.url)
    return to_json({"format": _FORMAT, "name": place.name, "storage": storage}, indent=2) + "\n"


def local_url(path: Path) -> str:
    """The database in the study directory itself."""
    return f"sqlite:///{path.absolute() / DATABASE}"


def without_password(url: str) -> str:
    """The URL as it may stand in a file or a message."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1@", url)
