"""Writes docs/reference/words.md from the registries: python docs/reference/words.py. A test compares the two."""

from pathlib import Path

from nograd.config import axes
from nograd.config.registry import Axis
from nograd.config.settings import all_settings

HEAD = """# Every word

What the settings of a training can be, as `nograd train --help` lists it too. This page is written by
`python docs/reference/words.py` from the registries of [`nograd/config/axes.py`](../../src/nograd/config/axes.py).
[Your own parts](../how-to/extending.md) are added there.
"""


def page() -> str:
    """The page: a table for each registry, a row for each entry."""
    flags = {
        id(setting.metadata["axis"]): setting.flag for setting in all_settings().values() if "axis" in setting.metadata
    }
    registries = [axis for axis in vars(axes).values() if isinstance(axis, Axis)]
    return "\n".join([HEAD, *(_table(axis, flags.get(id(axis), "")) for axis in registries)])


def _table(axis: Axis, flag: str) -> str:
    title = f"{axis.what[0].upper()}{axis.what[1:]}" + (f" (`{flag}`)" if flag else "")
    rows = [
        f"| `{' '.join(entry.suffixes) or entry.form or word}` | {entry.help} |" for word, entry in axis.entries.items()
    ]
    return "\n".join([f"## {title}", "", "| word | what it is |", "| --- | --- |", *rows, ""])


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), "utf-8")
