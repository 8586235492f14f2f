"""The site: every public name and every command has its place, and a strict build finds no broken link."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nograd
import nograd.sklearn
import nograd.testing
from nograd.cli.commands import COMMANDS

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
MOST_WORDS = 900  # of the README


def documented() -> list[str]:
    """The names that the pages of the reference list, `nograd.train`."""
    pages = sorted(REFERENCE.glob("*.md"))
    return [name for page in pages for name in re.findall(r"^::: ([\w.]+)$", page.read_text("utf-8"), re.M)]


def test_every_public_name_is_in_the_reference_once():
    found = documented()
    public = [f"nograd.{name}" for name in nograd.__all__]
    public += [f"nograd.sklearn.{name}" for name in nograd.sklearn.__all__]
    public += [f"nograd.testing.{name}" for name in vars(nograd.testing) if name.endswith("_laws")]
    assert {name: found.count(name) for name in public} == dict.fromkeys(public, 1)


def python(path: str) -> Any:
    """What a program gets by this name."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("path", documented())
def test_what_is_in_the_reference_has_a_docstring(path):
    text = inspect.getdoc(python(path))
    assert text, f"{path} has no docstring"
    # A NamedTuple or a dataclass without one has its own signature, which says nothing.
    assert not re.fullmatch(rf"{python(path).__name__}\(.*\)", text, re.S), f"{path} has no docstring of its own"


def test_the_reference_shows_what_python_has():
    """Not a module of the same name, and not an empty docstring where the source computes it."""
    griffe = pytest.importorskip("griffe", reason="pip install '.[docs]'")
    extensions = griffe.load_extensions(ROOT / "docs" / "docstrings.py")
    source = griffe.load("nograd", search_paths=[ROOT / "src"], extensions=extensions)
    for path in documented():
        found = source[path.removeprefix("nograd.")].docstring
        assert found, path
        assert found.value.split() == str(inspect.getdoc(python(path))).split(), path


def test_every_command_is_in_the_reference():
    page = (REFERENCE / "command-line.md").read_text("utf-8")
    assert re.findall(r"^<!-- help: (\w+) -->$", page, re.M) == list(COMMANDS)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= MOST_WORDS


def test_pictures_are_small():
    large = [path.name for path in (ROOT / "docs" / "pictures").iterdir() if path.stat().st_size > 200_000]
    assert large == []


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="pip install '.[docs]'")
    pytest.importorskip("mkdocstrings", reason="pip install '.[docs]'")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    _tutorials_are_whole(tmp_path / "site" / "tutorials")
    pages = {page.stem: page.read_text("utf-8") for page in (tmp_path / "site" / "reference").glob("*.html")}
    assert "--strategy" in pages["command-line"]
    assert "<!-- help" not in pages["command-line"]
    for name, text in pages.items():
        assert not re.findall(r"<p>[^<]*(?:Args|Returns|Raises):\n", text), f"{name}: a section that was not understood"
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//[^\"]*\.(?:css|js|woff2?)\"", text), f"{name} loads a file"


def _tutorials_are_whole(folder: Path) -> None:
    """Each tutorial has its outputs, its notebook, its pictures for light and dark, and no claims."""
    sources = [path for path in (ROOT / "docs" / "tutorials").glob("*.md") if "```python\n" in path.read_text("utf-8")]
    assert sources
    for source in sources:
        page = (folder / f"{source.stem}.html").read_text("utf-8")
        assert f'href="{source.stem}.ipynb"' in page, source.name
        assert json.loads((folder / f"{source.stem}.ipynb").read_text("utf-8"))["cells"]
        assert "holds:" not in page
        assert len(re.findall(r"<div class=\"[^\"]*\boutput\b", page)) == source.read_text("utf-8").count(
            "```output\n"
        ), source.name
        for picture in re.findall(r'src="(pictures/[^"#]+)', page):
            assert (folder / picture).is_file(), picture
        assert page.count("-dark.svg#only-dark") == source.read_text("utf-8").count("](pictures/"), source.name
