"""The checkpoints with the highest validation score: the last one, and the earlier ones that a resume may need."""

import re
from pathlib import Path
from typing import Any

from nograd.core.types import CheckpointError, PyTree
from nograd.runs import files
from nograd.runs.checkpoint import checkpoint_meta, save_checkpoint

_LAST = "best.safetensors"
_EARLIER = re.compile(r"best-generation-(\d+)\.safetensors")
_UNREADABLE = 2**63  # stands for the generation of a best whose file is damaged: after any other


class Bests:
    """The bests among a run's checkpoints.

    `best.safetensors` is the last. The one before it stays, as best-generation-N.safetensors, for as long as there is a
    checkpoint from between the two: a training resumed there goes on with the best that it had then.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last = 0  # the generation of best.safetensors; 0: there is none

    @property
    def path(self) -> Path:
        """The last best's file, which need not exist."""
        last = self.folder / _LAST
        # A crash may have come between the old best's new name and the new best's file.
        return last if last.is_file() else max(self._earlier().values(), default=last)

    def all(self) -> dict[int, Path]:
        """All bests by generation."""
        found, last = self._earlier(), self.folder / _LAST
        if last.is_file():
            try:
                found[int(checkpoint_meta(last)["progress"]["generation"])] = last
            except (CheckpointError, KeyError, TypeError, ValueError):
                found[_UNREADABLE] = last
        return found

    def of(self, generation: int) -> Path | None:
        """The best of a generation; where none is readable as that, one that is not readable at all: it may be it."""
        found = self.all()
        return found.get(generation) or found.get(_UNREADABLE)

    def save(self, state: PyTree, meta: dict[str, Any], checkpoints: list[int]) -> None:
        """Writes the last best; `checkpoints` are the generations of those that exist."""
        last, generation = self.folder / _LAST, int(meta["progress"]["generation"])
        if self._last and last.is_file():
            files.move(last, self._file(self._last))
        save_checkpoint(last, state, meta)
        self._last = generation
        # Where this very generation fails after all, the one before it is what gets saved.
        self.prune([*checkpoints, generation - 1])

    def prune(self, checkpoints: list[int]) -> None:
        """Removes the earlier bests that none of these checkpoints relies on."""
        earlier = self._earlier()
        known = {*earlier, self._last}
        needed = {max((best for best in known if best <= number), default=0) for number in checkpoints}
        for generation in earlier.keys() - needed:
            files.remove(earlier[generation])

    def go_on_from(self, generation: int) -> None:
        """Makes the best of this generation the last one; 0: there is none."""
        if generation and self._file(generation).is_file():
            files.move(self._file(generation), self.folder / _LAST)
        self._last = generation

    def _file(self, generation: int) -> Path:
        return self.folder / f"best-generation-{generation:08d}.safetensors"

    def _earlier(self) -> dict[int, Path]:
        matches = [(path, _EARLIER.fullmatch(path.name)) for path in self.folder.glob("best-*")]
        return {int(match[1]): path for path, match in matches if match}
