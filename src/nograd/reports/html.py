"""HTML as values. `tag` escapes everything that is not Markup, so text from a user cannot become code."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, TypeAlias

from nograd.core.json_text import to_json

Child: TypeAlias = "str | int | float | Iterable[Child] | None"
_VOID = {"br", "img", "input", "link", "meta"}


class Markup(str):
    """Text that is already HTML, and is not escaped."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """The element <name attributes>children</name>.

    Args:
        name: name of the element.
        children: Markup is inserted as it is, other text is escaped; lists are flattened, None is left out.
        attributes: `class_` stands for class, `data_x` for data-x. True is an attribute without a value; None and False
            are left out.
    """
    words = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{words}>" if name in _VOID else f"<{name}{words}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """The children as HTML, one after the other."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int | float):
        return Markup(escape(str(children)))
    return Markup("".join(map(join, children)))


def data_block(content: Any, **attributes: str) -> Markup:
    """JSON for a script of the page. `<` is written as \\u003c, so that no text in it can end the element."""
    text = to_json(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", **attributes)


def section(title: str, *children: Child) -> Markup:
    """A section with a heading; empty if it has no content."""
    return tag("section", tag("h2", title), *children) if join(children) else Markup()


def tabs(name: str, panels: Sequence[tuple[str, Child]]) -> Markup:
    """Panels of which one is shown at a time, chosen by radio buttons; works without a script.

    Args:
        name: name of the group of buttons: ASCII letters, unique on the page.
        panels: up to six pairs of a title and its content.
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
