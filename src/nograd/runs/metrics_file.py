"""metrics.jsonl: one line per generation, appended during a training and shortened when it is resumed."""

import contextlib
import json
from pathlib import Path
from typing import IO, Any

from nograd.core.json_text import to_json
from nograd.core.types import RunError
from nograd.runs import files

NAME = "metrics.jsonl"
# Entries that begin with these are from an evaluation; all others are of the generation itself.
_SCORES = ("train_", "val_")


class MetricsFile:
    """The metrics of a run. Lines that are not metrics are ignored, such as one that a crash cut off."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file: IO[bytes] | None = None
        self._synced, self._named = True, False  # whether the lines, and the file's name, are on the disk

    def lines(self) -> list[dict[str, Any]]:
        """The lines in the order of their generations; of several for one generation the last one counts."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"cannot read {self.path}: {error.strerror}; permit it, or restore the file") from error
        found = {line["generation"]: line for text in content.split(b"\n") if (line := _parsed(text)) is not None}
        return [found[generation] for generation in sorted(found)]

    def append(self, line: dict[str, Any]) -> None:
        """Appends one line. It survives a crash of this process, and after `sync` also a power cut."""
        try:
            if self._file is None:
                self._file = self.path.open("ab")
            self._synced = False
            files.write(self._file, (to_json(line) + "\n").encode())
        except OSError as error:
            raise self._full(error) from error

    def sync(self) -> None:
        """Waits until all lines are on the disk, and the file's name too."""
        if self._file is None or self._synced:
            return
        try:
            files.sync(self._file)
        except OSError as error:
            raise self._full(error) from error
        if not self._named:
            files.sync_folder(self.path.parent)
        self._synced = self._named = True

    def rewrite(self, lines: list[dict[str, Any]]) -> None:
        """Replaces all lines. A crash leaves either all new lines or all old ones."""
        self.close()
        content = "".join(f"{to_json(line)}\n" for line in lines).encode()
        if not self.path.is_file() or self.path.read_bytes() != content:
            files.write_atomically(self.path, content)

    def close(self) -> None:
        """Closes the file; the next `append` opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk has been reported by `append` already
                self._file.close()
            self._file = None

    def _full(self, error: OSError) -> RunError:
        return RunError(f"cannot write {self.path}: {error.strerror}; make room, then go on with --resume")


def without_scores(line: dict[str, Any]) -> dict[str, Any]:
    """The line without its evaluation, as at a generation where no evaluation is due."""
    return {name: value for name, value in line.items() if not name.startswith(_SCORES)}


def gaps(lines: list[dict[str, Any]], generation: int) -> list[tuple[int, int]]:
    """The ranges (first, last) of generations between 1 and `generation` that have no line."""
    found, last = [], 0
    for number in [*(line["generation"] for line in lines if 0 < line["generation"] <= generation), generation + 1]:
        if number > last + 1:
            found.append((last + 1, number - 1))
        last = number
    return found


def _parsed(text: bytes) -> dict[str, Any] | None:
    """The metrics in one line of the file; None if they cannot be parsed."""
    with contextlib.suppress(ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        line = json.loads(text.decode("utf-8"))
        if isinstance(line, dict) and type(line.get("generation")) is int:
            return line
    return None
