"""Names of the library within texts that tests, benchmarks and documents run: no lint reads those."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLACES = {"tests": "*.py", "benchmarks": "*.py", "examples": "*.py", "docs": "*.md"}


def imported(text: str) -> set[tuple[str, str]]:
    """The pairs (module, name) of every `from nograd… import …` on one line, wherever it stands."""
    found = re.findall(r"from (nograd[\w.]*) import ((?:\w+(?: as \w+)?(?:, )?)+)", text)
    return {(module, name.split(" as ")[0]) for module, names in found for name in names.rstrip(", ").split(", ")}


def test_imports_in_texts_are_found():
    text = "SCRIPT = 'from " + "nograd.a import b as c, d; x = 1'"
    assert imported(text) == {("nograd.a", "b"), ("nograd.a", "d")}


@pytest.mark.parametrize("place", PLACES)
def test_every_imported_name_exists(place):
    lost = []
    for path in sorted((ROOT / place).rglob(PLACES[place])):
        for module, name in sorted(imported(path.read_text("utf-8"))):
            made = importlib.import_module(module)
            if not hasattr(made, name) and importlib.util.find_spec(f"{module}.{name}") is None:
                lost.append(f"{path.relative_to(ROOT)}: from {module} import {name}")
    assert not lost
