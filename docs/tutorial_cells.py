"""A tutorial as cells: what of its Markdown is run, what was printed, and the same page as a notebook.

A page is plain Markdown. In it

- every ```python block is run, all of a page in one namespace; one that begins with "# NAME.py" is written to a file;
- a ```sh block is run if an ```output block follows it;
- the ```output block below a cell holds what the cell printed, and the value of its last expression;
- `![what it shows](pictures/NAME.svg)` below a cell is the figure that the cell drew with pyplot;
- `<!-- holds: EXPRESSION -->` below a cell must be true after it: a claim of the text, written as Python.

`run_tutorials.py` runs the cells and writes outputs and pictures again. This module only reads and writes text.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

INK = "#24292f"  # of text and axes in pictures; the site replaces it where the page is dark

_CELL = re.compile(
    r"^```(?P<language>python|sh)\n(?P<source>.*?)^```\n"
    r"(?P<printed>\n```output\n(?P<output>.*?)^```\n)?"
    r"(?P<pictures>(?:\n!\[[^\]]*\]\(pictures/[\w-]+\.svg\)\n)*)"
    r"(?P<claims>(?:\n<!-- holds: [^\n]+ -->\n)*)",
    re.M | re.S,
)
_PICTURE = re.compile(r"!\[([^\]]*)\]\(pictures/([\w-]+\.svg)\)")
_FILE = re.compile(r"# ([\w-]+\.py)\n")
_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:)[^)]+\)")


class Cell(NamedTuple):
    """A block that is run, or a file that is written, with what belongs to it."""

    language: str  # python or sh
    source: str
    output: str | None  # what was printed; None if there is no block for it
    pictures: list[tuple[str, str]]  # (what it shows, name of the file)
    claims: list[str]  # Python expressions

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, if it is one."""
        found = _FILE.match(self.source) if self.language == "python" else None
        return found[1] if found else None

    @property
    def runs(self) -> bool:
        """Whether the block is run."""
        return self.file is None and (self.language == "python" or self.output is not None)


def cells(page: str) -> list[Cell]:
    """The cells of a page in their order."""
    return [_cell(found) for found in _CELL.finditer(page)]


def rewritten(page: str, output: Callable[[Cell], str | None]) -> str:
    """The page with other outputs: `output(cell)` is called in the order of the cells; None or "" is no block."""
    return _CELL.sub(lambda found: _written(_cell(found), output(_cell(found))), page)


def _cell(found: re.Match[str]) -> Cell:
    pictures = [(one[1], one[2]) for one in _PICTURE.finditer(found["pictures"])]
    claims = re.findall(r"<!-- holds: (.+) -->", found["claims"])
    return Cell(found["language"], found["source"], found["output"], pictures, claims)


def _written(cell: Cell, output: str | None) -> str:
    parts = [f"```{cell.language}\n{cell.source}```\n"]
    parts += [f"```output\n{output.rstrip()}\n```\n"] if output else []
    parts += [f"![{what}](pictures/{name})\n" for what, name in cell.pictures]
    parts += [f"<!-- holds: {claim} -->\n" for claim in cell.claims]
    return "\n".join(parts)


def without_claims(page: str) -> str:
    """The page as a reader gets it."""
    return re.sub(r"\n<!-- holds: [^\n]+ -->\n", "", page)


def notebook(page: str, picture: Callable[[str], str]) -> str:
    """The page as a notebook (nbformat 4.5) with its outputs; `picture` gives the SVG text of a picture by its name."""
    entries = [
        {"id": f"cell-{number}", "metadata": {}, **entry} for number, entry in enumerate(_entries(page, picture))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": entries, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _entries(page: str, picture: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    end = 0
    for found in _CELL.finditer(page):
        cell = _cell(found)
        yield from _markdown(page[end : found.start()])
        end = found.end()
        if cell.language == "sh" and not cell.runs:
            yield from _markdown(found[0])
        else:
            yield {
                "cell_type": "code",
                "execution_count": None,
                "source": _lines(_magic(cell) + cell.source.strip("\n")),
                "outputs": _outputs(cell, picture),
            }
    yield from _markdown(page[end:])


def _magic(cell: Cell) -> str:
    """The first line of a cell that is no Python for the kernel."""
    return f"%%writefile {cell.file}\n" if cell.file else "%%sh\n" if cell.language == "sh" else ""


def _outputs(cell: Cell, picture: Callable[[str], str]) -> list[dict[str, Any]]:
    printed = [{"output_type": "stream", "name": "stdout", "text": _lines(cell.output)}] if cell.output else []
    shown = [
        {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": _lines(picture(name))}}
        for _, name in cell.pictures
    ]
    return printed + shown


def _markdown(text: str) -> Iterator[dict[str, Any]]:
    """A cell of text, unless it is empty; a link to another page is its words, as a notebook lies anywhere."""
    if text.strip():
        yield {"cell_type": "markdown", "source": _lines(_LINK.sub(r"\1", text.strip()))}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
