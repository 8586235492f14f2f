"""HTML as values: `tag` escapes whatever is not Markup, so that no text of a user's can become code."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, TypeAlias

from nograd.core.json_text import to_json

Child: TypeAlias = "str | int | float | Iterable[Child] | None"
_VOID = {"br", "img", "input", "link", "meta"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """<name attributes>children</name>.

    Args:
        name: of the element.
        children: Markup as it is, other text escaped; lists are flattened, None is left out.
        attributes: `class_` stands for class, `data_x` for data-x; True is an attribute without a value, None and
            False are left out.
    """
    words = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{words}>" if name in _VOID else f"<{name}{words}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """The children one after the other."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int | float):
        return Markup(escape(str(children)))
    return Markup("".join(map(join, children)))


def data_block(content: Any, **attributes: str) -> Markup:
    """JSON that a script of the page reads. `<` is written \\u003c, so that nothing in it ends the element."""
    text = to_json(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", **attributes)


def section(title: str, *children: Child) -> Markup:
    """A part of the page under a heading; nothing at all where it has no content."""
    return tag("section", tag("h2", title), *children) if join(children) else Markup()


def tabs(name: str, panels: Sequence[tuple[str, Child]]) -> Markup:
    """Panels of which one is shown, chosen by radio buttons: it needs no script.

    Args:
        name: of the group of buttons, in ASCII letters and unique on the page.
        panels: up to six, each a title and what it shows.
    """
    inputs = [
        tag("input", type="radio", name=name, id=f"{name}-{place}", checked=place == 0) for place in range(len(panels))
    ]
    labels = [tag("label", title, for_=f"{name}-{place}") for place, (title, _) in enumerate(panels)]
    shown = [tag("div", content, class_="panel") for _, content in panels]
    return tag("div", inputs, tag("div", labels, class_="tab-labels"), shown, class_="tabs")


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
