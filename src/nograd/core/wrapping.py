"""Text for a person: on a terminal wrapped between words, in a file or a pipe line by line as it is."""

import os
import shlex
import sys
import textwrap
from typing import Any

_INDENT = "  "  # of the lines after the first one
_UNKNOWN = 80  # columns of a terminal that does not say how many it has


def say(text: str, stream: Any = None) -> None:
    """Prints text on standard output, or on another stream."""
    stream = sys.stdout if stream is None else stream
    columns = columns_of(stream)
    print(text if columns is None else fitted(text, columns), file=stream, flush=True)


def say_command(before: str, command: str, stream: Any = None) -> None:
    """Prints a shell command after some words; if both do not fit in a line, the command in lines of its own, which can
    be copied as they are.
    """
    stream = sys.stdout if stream is None else stream
    line, columns = f"{before} {command}", columns_of(stream)
    if columns is not None and len(line) > columns:
        line = "\n".join([*([fitted(before, columns)] if before.strip() else []), folded(command, columns)])
    print(line, file=stream, flush=True)


def columns_of(stream: Any) -> int | None:
    """The columns of the terminal that a stream writes to; None if it is no terminal."""
    try:
        if not stream.isatty():
            return None
        asked = os.environ.get("COLUMNS", "")
        return (int(asked) if asked.isdecimal() else os.get_terminal_size(stream.fileno()).columns) or _UNKNOWN
    except (OSError, ValueError, AttributeError):  # closed, or an object that only looks like a file
        return None


def fitted(text: str, columns: int) -> str:
    """Text whose lines have at most so many columns. A word that is longer, such as a path, stays whole."""
    lines = []
    for line in text.split("\n"):
        if len(line) <= columns:
            lines.append(line)
            continue
        own = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line.lstrip(),
            columns,
            initial_indent=own,
            subsequent_indent=own + _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def folded(command: str, columns: int) -> str:
    """A shell command in indented lines of at most so many columns, each but the last with a backslash at its end."""
    lines: list[str] = []
    for word in map(shlex.quote, shlex.split(command)):
        if lines and len(lines[-1]) + len(word) + 3 <= columns:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{_INDENT * (2 if lines else 1)}{word}")
    return " \\\n".join(lines)
