"""The best checkpoints: the one with the highest validation score, and earlier ones that a resumption may need."""

import re
from pathlib import Path
from typing import Any

from nograd.core.types import CheckpointError, PyTree
from nograd.runs import files
from nograd.runs.checkpoint import checkpoint_meta, save_checkpoint

_LAST = "best.safetensors"
_EARLIER = re.compile(r"best-generation-(\d+)\.safetensors")
_UNREADABLE = 2**63  # the generation under which a best with a damaged file is listed: larger than any real one


class Bests:
    """The best checkpoints of a run.

    The latest is `best.safetensors`. When a better one is found, the old one is renamed to
    best-generation-N.safetensors and kept while there is a checkpoint between the two: a training resumed from that
    checkpoint needs it again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last = 0  # the generation of best.safetensors; 0: there is none

    @property
    def path(self) -> Path:
        """The file of the latest best; it may not exist."""
        last = self.folder / _LAST
        # A crash between the renaming of the old best and the writing of the new one leaves only the renamed file.
        return last if last.is_file() else max(self._earlier().values(), default=last)

    def all(self) -> dict[int, Path]:
        """The files of all bests, by generation."""
        found, last = self._earlier(), self.folder / _LAST
        if last.is_file():
            try:
                found[int(checkpoint_meta(last)["progress"]["generation"])] = last
            except (CheckpointError, KeyError, TypeError, ValueError):
                found[_UNREADABLE] = last
        return found

    def of(self, generation: int) -> Path | None:
        """The file of the best of a generation; else one that is damaged, as it may be that one; else None."""
        found = self.all()
        return found.get(generation) or found.get(_UNREADABLE)

    def save(self, state: PyTree, meta: dict[str, Any], checkpoints: list[int]) -> None:
        """Writes a new best.

        Args:
            state: the state of the training.
            meta: what is stored beside it; its "progress" names the generation.
            checkpoints: the generations of the checkpoints on disk.
        """
        last, generation = self.folder / _LAST, int(meta["progress"]["generation"])
        if self._last and last.is_file():
            files.move(last, self._file(self._last))
        save_checkpoint(last, state, meta)
        self._last = generation
        # If this generation fails after all, the checkpoint that gets saved is of the generation before it.
        self.prune([*checkpoints, generation - 1])

    def prune(self, checkpoints: list[int]) -> None:
        """Removes the earlier bests that no checkpoint of these generations needs."""
        earlier = self._earlier()
        known = {*earlier, self._last}
        needed = {max((best for best in known if best <= number), default=0) for number in checkpoints}
        for generation in earlier.keys() - needed:
            files.remove(earlier[generation])

    def go_on_from(self, generation: int) -> None:
        """Makes the best of this generation the latest one; 0: there is none."""
        if generation and self._file(generation).is_file():
            files.move(self._file(generation), self.folder / _LAST)
        self._last = generation

    def _file(self, generation: int) -> Path:
        return self.folder / f"best-generation-{generation:08d}.safetensors"

    def _earlier(self) -> dict[int, Path]:
        matches = [(path, _EARLIER.fullmatch(path.name)) for path in self.folder.glob("best-*")]
        return {int(match[1]): path for path, match in matches if match}
