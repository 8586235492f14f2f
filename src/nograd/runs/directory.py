"""The run directory: config.json, metrics.jsonl, checkpoints/ and result.json, never half written."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from nograd.core.json_text import to_json
from nograd.core.types import CheckpointError, PyTree, RunError
from nograd.runs import files
from nograd.runs.bests import Bests
from nograd.runs.checkpoint import checkpoint_meta, load_checkpoint, save_checkpoint
from nograd.runs.lock import DirectoryLock
from nograd.runs.metrics_file import NAME as METRICS
from nograd.runs.metrics_file import MetricsFile

CONFIG, RESULT, CURVES, LOCK = "config.json", "result.json", "curves.png", "training.lock"
_NUMBERED = re.compile(r"generation-(\d+)\.safetensors")
_OURS = re.compile(r"(config|result)\.json|metrics\.jsonl|curves\.png|.*\.safetensors")


class RunDirectory:
    """The files of one training. Every error names the file and what to do.

    Any process may read at any time. A process that writes holds the lock of the directory: `create` takes it for a new
    run, and `hold` for an existing one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._metrics = MetricsFile(self.path)
        self._lock: DirectoryLock | None = None
        self.bests = Bests(self.path / "checkpoints")

    @classmethod
    def create(cls, path: str | Path, config: dict[str, Any]) -> "RunDirectory":
        """Makes a new run directory and takes its lock. If two processes make the same one, one gets a RunError.

        Raises:
            RunError: the folder holds a run or parts of one, another process writes in it, or it cannot be written.
        """
        run = cls(path)
        _make_folder(run.path)
        run.hold()
        try:
            run._require_empty()
            _make_folder(run.checkpoints)
            run.write_config(config)
        except BaseException:
            run.release()
            raise
        return run

    @classmethod
    def create_new(cls, path: Path, config: dict[str, Any]) -> "RunDirectory":
        """Makes a new run in a new folder: `path`, or if that exists `path`-2, `path`-3 and so on."""
        _make_folder(path.parent)
        number = 1
        while True:
            free = path if number == 1 else path.with_name(f"{path.name}-{number}")
            try:
                free.mkdir()  # only one process can succeed: the folder is then its own
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise _cannot_make(free, error) from error
            return cls.create(free, config)

    @classmethod
    def open(cls, path: str | Path) -> "RunDirectory":
        """Opens an existing run for reading. Raises RunError if there is none."""
        run = cls(path)
        try:
            found = (run.path / CONFIG).is_file()
        except OSError:  # such as a name that is too long
            found = False
        if not found:
            raise RunError(f"{path} is not a run directory: it has no config.json; name one that nograd wrote")
        return run

    def hold(self) -> None:
        """Takes the lock, so that no other training can write here until `release` or until this process ends.

        Raises:
            RunError: another training holds the lock; the message names its process and host.
        """
        self._lock = self._lock or DirectoryLock(self.path / LOCK)
        for folder in (self.path, self.checkpoints):
            files.sweep(folder, _OURS)

    def release(self) -> None:
        """Gives the lock back, so that others can write."""
        self.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends a training: gives the lock back, and removes a new run that failed before it wrote anything."""
        left = [*self.checkpoints.glob("*.safetensors"), self.path / METRICS, self.path / RESULT]
        if error is not None and not any(path.exists() for path in left):
            files.remove(self.path / CONFIG)
        self.release()
        with contextlib.suppress(OSError):  # only empty folders can be removed
            self.checkpoints.rmdir()
            self.path.rmdir()

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the highest validation score."""
        return self.bests.path

    @property
    def chosen(self) -> Path | None:
        """The best checkpoint; before the first evaluation the last one; None if there is none."""
        candidates = [self.best, *reversed(self.numbered())]
        return next((path for path in candidates if path.is_file()), None)

    def config(self) -> dict[str, Any]:
        """The content of config.json. Raises RunError if it cannot be read."""
        return self._read_json(CONFIG)

    def result(self) -> dict[str, Any] | None:
        """The content of result.json; None while the run has not ended."""
        return self._read_json(RESULT) if (self.path / RESULT).is_file() else None

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes config.json."""
        self._write_json(CONFIG, config)

    def write_result(self, result: dict[str, Any]) -> None:
        """Writes result.json."""
        self._write_json(RESULT, result)

    # Metrics ---------------------------------------------------------------------------------------------

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, one per generation; a last line that a crash cut off is left out."""
        return self._metrics.lines()

    def log(self, line: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        self._metrics.append(line)

    def amend(self, more: dict[str, Any]) -> None:
        """Adds these entries to the last line of metrics.jsonl."""
        *before, last = self.metrics() or [{}]
        self._metrics.rewrite([*before, {**last, **more}])

    def rewrite_metrics(self, lines: list[dict[str, Any]]) -> None:
        """Replaces the content of metrics.jsonl by these lines."""
        self._metrics.rewrite(lines)

    def close(self) -> None:
        """Closes metrics.jsonl; the next `log` opens it again."""
        self._metrics.close()

    # Checkpoints -----------------------------------------------------------------------------------------

    def save(self, generation: int, state: PyTree, meta: dict[str, Any], keep: int) -> None:
        """Writes the checkpoint of `generation`, then removes old ones as `prune` does.

        Args:
            generation: its number.
            state: the state of the training, a tree of arrays.
            meta: what is stored beside it, JSON values.
            keep: how many checkpoints to keep.
        """
        self._metrics.sync()  # first: even after a power cut, no checkpoint is newer than the metrics on disk
        save_checkpoint(self.checkpoints / f"generation-{generation:08d}.safetensors", state, meta)
        self.prune(keep)

    def prune(self, keep: int) -> None:
        """Removes all checkpoints but the last `keep`, and the bests that only the removed ones needed."""
        for path in self.numbered()[:-keep]:
            files.remove(path)
        self.bests.prune(self._numbers())

    def save_best(self, state: PyTree, meta: dict[str, Any]) -> None:
        """Writes the best checkpoint. The best before it is kept while a checkpoint needs it."""
        self.bests.save(state, meta, self._numbers())

    def numbered(self) -> list[Path]:
        """The numbered checkpoints in the order of their generations."""
        return sorted((path for path in self.checkpoints.glob("*") if _NUMBERED.fullmatch(path.name)), key=number_of)

    def load(self, path: Path, like: PyTree, identity: str) -> tuple[PyTree, dict[str, Any]]:
        """Reads a checkpoint of this run.

        Args:
            path: its file.
            like: a tree with the shapes and types that it must have.
            identity: what identifies this run; the checkpoint holds the same text.

        Returns:
            The state, and the `meta` that was stored beside it.

        Raises:
            CheckpointError: the file is damaged or of another run; the message names an older checkpoint to use.
        """
        try:
            state, meta = load_checkpoint(path, like)
            if meta.get("identity") != identity:
                raise CheckpointError(f"checkpoint {path} is of another run: its settings or data differ")
        except CheckpointError as error:
            raise CheckpointError(f"{error}{self._offer_before(path)}") from error
        return state, meta

    def _offer_before(self, path: Path) -> str:
        """The remedy in an error: the newest older checkpoint whose file is undamaged."""
        if not _NUMBERED.fullmatch(path.name):
            return "; delete it, and the best is chosen anew from here on"
        older = [other for other in self.numbered() if number_of(other) < number_of(path)]
        for other in reversed(older):
            with contextlib.suppress(CheckpointError):
                checkpoint_meta(other)
                return f"; the one before it is whole: nograd train --resume {other}"
        return "; no older checkpoint is left: start the run anew"

    def _numbers(self) -> list[int]:
        return [number_of(path) for path in self.numbered()]

    def _require_empty(self) -> None:
        if (self.path / CONFIG).exists():
            raise RunError(
                f"{self.path} holds another run; choose another --out, or go on with that one: "
                f"nograd train --resume {self.path}"
            )
        left = [self.path / name for name in (METRICS, RESULT) if (self.path / name).exists()]
        if left := [*left, *self.numbered(), *self.bests.all().values()]:
            raise RunError(
                f"{self.path} holds {left[0].relative_to(self.path)} of a run without its config.json; "
                "choose another --out"
            )

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        files.write_atomically(self.path / name, (to_json(content, indent=2) + "\n").encode())

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"cannot read {path}: {error}; it is not a run that nograd wrote") from error
        if not isinstance(content, dict):
            raise RunError(f"cannot read {path}: not a JSON object; it is not a run that nograd wrote")
        return content


def number_of(path: Path) -> int:
    """The generation in the name of a numbered checkpoint."""
    match = _NUMBERED.fullmatch(path.name)
    return int(match[1]) if match else 0


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_make(path, error) from error


def _cannot_make(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot make the run directory {path}: {error.strerror}; choose another --out")
