"""Tables for pages: numbers aligned to the right, marked cells, and sorting if asked for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from nograd.reports.html import Child, Markup, tag


class Cell(NamedTuple):
    """A cell with more than its text: how it is sorted, aligned and marked."""

    content: Child
    key: float | str | None = None  # value by which the column is sorted; None comes last
    number: bool = False
    mark: bool = False


Row: TypeAlias = Sequence[Cell | str]


def table(columns: Sequence[str], rows: Iterable[Row], *, sortable: bool = False, caption: str | None = None) -> Markup:
    """A table as HTML; it can be scrolled sideways on a narrow screen.

    Args:
        columns: the headings.
        rows: the cells, one per heading; text or `Cell`.
        sortable: whether clicking a heading sorts the table.
        caption: a title above the table.
    """
    rows = list(rows)
    numbers = [any(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    heads = [_head(title, number, sortable) for title, number in zip(columns, numbers, strict=True)]
    body = [tag("tr", [_drawn(cell, sortable) for cell in row]) for row in rows]
    drawn = tag(
        "table",
        caption and tag("caption", caption),
        tag("thead", tag("tr", heads)),
        tag("tbody", body),
        class_="sortable" if sortable else None,
    )
    return tag("div", drawn, class_="scroll", tabindex=0)


def facts(pairs: Mapping[str, Child]) -> Markup:
    """A list of names and values, in two columns."""
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in pairs.items()])


def cards(figures: Iterable[tuple[str, Child, Child]]) -> Markup:
    """Key figures in large type; each is (name, figure, remark below it)."""
    drawn = [
        tag("div", tag("div", name, class_="name"), tag("div", value, class_="figure"), tag("div", note, class_="note"))
        for name, value, note in figures
    ]
    return tag("div", drawn, class_="cards")


def _head(title: str, number: bool, sortable: bool) -> Markup:
    content = tag("button", title, type="button") if sortable else title
    return tag("th", content, scope="col", class_="number" if number else None)


def _is_number(cell: Cell | str) -> bool:
    return isinstance(cell, Cell) and cell.number


def _drawn(cell: Cell | str, sortable: bool) -> Markup:
    if not isinstance(cell, Cell):
        return tag("td", cell)
    names = [name for name, on in (("number", cell.number), ("mark", cell.mark)) if on]
    key = ("" if cell.key is None else cell.key) if sortable else None
    return tag("td", cell.content, class_=" ".join(names) or None, data_key=key)
