"""The text of `nograd COMMAND --help`: the fields of a dataclass as flags, under headings, in the terminal's width."""

import ast
import inspect
import shutil
import textwrap
from typing import Any

from nograd.config.values import Setting, settings_of
from nograd.core.wrapping import fitted

_INDENT = "  "
_COLUMN, _DEEP = 24, 6  # where the text of a flag begins: beside it, or in a narrow terminal below it
_NARROW, _WIDEST = 60, 100
_METAVARS = {int: "N", float: "X", str: "WORD"}


def usage(kind: type, prog: str) -> str:
    """The help of a command whose flags are the fields of the dataclass `kind`."""
    width = page_width()
    found, texts = settings_of(kind), documents(kind)
    takes = " ".join(_argument(setting) for setting in found if setting.form.positional)
    lines = [fitted(" ".join(part for part in (f"usage: {prog}", takes, "[FLAGS]") if part), width), ""]
    lines += textwrap.wrap(" ".join((inspect.getdoc(kind) or "").split()), width)
    if not (found and found[0].metadata.get("heading")):
        lines.append("")
    for setting in found:
        if heading := setting.metadata.get("heading"):
            lines += ["", heading]
        lines += _flag_lines(setting, texts.get(setting.name, ""), width)
    return "\n".join([*lines, *item_lines("-h, --help", "Show this and exit.", width)])


def page_width() -> int:
    """The columns of a help text: those of the terminal, but not more than are good to read."""
    return min(shutil.get_terminal_size().columns or _WIDEST, _WIDEST)


def documents(kind: type) -> dict[str, str]:
    """The docstring below each field of a dataclass, as one line, by the name of the field."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return found


def _flag_lines(setting: Setting, text: str, width: int) -> list[str]:
    lines = item_lines(_title(setting), text + _default(setting, text), width)
    if axis := setting.metadata.get("axis"):
        for word, entry in axis.entries.items():
            lines += item_lines(f"{_INDENT}{entry.form or word}", entry.help, width)
    return lines


def item_lines(title: str, text: str, width: int) -> list[str]:
    """Lines with a title and its text: side by side, or the text below if the title is too long."""
    narrow = width < _NARROW
    first, blank = f"{_INDENT}{title}", " " * (_DEEP if narrow else _COLUMN)
    wrapped = textwrap.wrap(text, max(width - len(blank), 1), break_long_words=False, break_on_hyphens=False) or [""]
    if len(first) > width:  # a list of choices: it is wrapped between them
        first = first.replace(",", ", ")
    if narrow or len(first) > _COLUMN - 2:
        return [*fitted(first, width).split("\n"), *(blank + line for line in wrapped)]
    return [first.ljust(_COLUMN) + wrapped[0], *(blank + line for line in wrapped[1:])]


def _title(setting: Setting) -> str:
    if setting.form.positional:
        return _argument(setting)
    if bool in setting.form.types:
        return f"{setting.flag}, --no-{setting.flag[2:]}" if setting.default is True else setting.flag
    short = f"{setting.metadata['short']}, " if "short" in setting.metadata else ""
    return f"{short}{setting.flag} {_metavar(setting)}"


def _argument(setting: Setting) -> str:
    name = f"{setting.name.upper()}{' …' if setting.form.many else ''}"
    return name if setting.required else f"[{name}]"


def _metavar(setting: Setting) -> str:
    form = setting.form
    if named := setting.metadata.get("metavar"):
        return str(named)
    if form.choices and "axis" not in setting.metadata:
        return "{" + ",".join(form.choices) + "}"
    if "path" in setting.metadata:
        return "PATH"
    return _METAVARS[form.types[0]] + (" …" if form.many else "")


def _default(setting: Setting, text: str) -> str:
    """A sentence with the default of a flag; empty if the text has one already."""
    default: Any = setting.default
    if default is None or default is False or default == () or setting.required or "efault" in text:
        return ""
    if default is True:
        return " Default: on."
    return f" Default: {default}."
