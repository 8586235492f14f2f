"""The run directory: config.json, metrics.jsonl, checkpoints/ and result.json, on disk at every moment whole."""

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
    """One training on disk. Every error names the file and what to do.

    Anybody may read at any time. Who writes holds the directory's lock: `create` takes it, and `hold` for a run that
    exists.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._metrics = MetricsFile(self.path)
        self._lock: DirectoryLock | None = None
        self.bests = Bests(self.path / "checkpoints")

    @classmethod
    def create(cls, path: str | Path, config: dict[str, Any]) -> "RunDirectory":
        """A new run, held. Of two processes that make the same one, one gets a RunError.

        Raises:
            RunError: the folder holds a run or parts of one, is being written, or cannot be.
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
        """A new run in a folder that is made for it: `path`, or where that is taken `path`-2, `path`-3 and so on."""
        _make_folder(path.parent)
        number = 1
        while True:
            free = path if number == 1 else path.with_name(f"{path.name}-{number}")
            try:
                free.mkdir()  # the claim: one process alone succeeds
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise _cannot_make(free, error) from error
            return cls.create(free, config)

    @classmethod
    def open(cls, path: str | Path) -> "RunDirectory":
        """A run that exists, to be read. Raises RunError where there is none."""
        run = cls(path)
        try:
            found = (run.path / CONFIG).is_file()
        except OSError:  # a name that is too long
            found = False
        if not found:
            raise RunError(f"{path} is not a run directory: it has no config.json; name one that nograd wrote")
        return run

    def hold(self) -> None:
        """Keeps every other training out until `release`, or until this process ends.

        Raises:
            RunError: a training is at work here; the line names its process and host.
        """
        self._lock = self._lock or DirectoryLock(self.path / LOCK)
        for folder in (self.path, self.checkpoints):
            files.sweep(folder, _OURS)

    def release(self) -> None:
        """Lets others write."""
        self.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """At the end of a training's block: lets others write. A new run in which nothing came to pass goes again."""
        left = [*self.checkpoints.glob("*.safetensors"), self.path / METRICS, self.path / RESULT]
        if error is not None and not any(path.exists() for path in left):
            files.remove(self.path / CONFIG)
        self.release()
        with contextlib.suppress(OSError):  # where they are empty
            self.checkpoints.rmdir()
            self.path.rmdir()

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the highest validation score."""
        return self.bests.path

    @property
    def chosen(self) -> Path | None:
        """The best checkpoint; where there was no evaluation yet, the last one; None without any."""
        candidates = [self.best, *reversed(self.numbered())]
        return next((path for path in candidates if path.is_file()), None)

    def config(self) -> dict[str, Any]:
        return self._read_json(CONFIG)

    def result(self) -> dict[str, Any] | None:
        """result.json, or None while the run has not ended."""
        return self._read_json(RESULT) if (self.path / RESULT).is_file() else None

    def write_config(self, config: dict[str, Any]) -> None:
        self._write_json(CONFIG, config)

    def write_result(self, result: dict[str, Any]) -> None:
        self._write_json(RESULT, result)

    # Metrics ---------------------------------------------------------------------------------------------

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, one a generation; what a crash has cut off is left out."""
        return self._metrics.lines()

    def log(self, line: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        self._metrics.append(line)

    def amend(self, more: dict[str, Any]) -> None:
        """Adds to the last line of metrics.jsonl."""
        *before, last = self.metrics() or [{}]
        self._metrics.rewrite([*before, {**last, **more}])

    def rewrite_metrics(self, lines: list[dict[str, Any]]) -> None:
        """Exactly these lines."""
        self._metrics.rewrite(lines)

    def close(self) -> None:
        """Closes metrics.jsonl; the next `log` opens it again."""
        self._metrics.close()

    # Checkpoints -----------------------------------------------------------------------------------------

    def save(self, generation: int, state: PyTree, meta: dict[str, Any], keep: int) -> None:
        """Writes the checkpoint of `generation` and removes all but the last `keep`, and the bests of those removed."""
        self._metrics.sync()  # a checkpoint is never ahead of its metrics, whatever happens
        save_checkpoint(self.checkpoints / f"generation-{generation:08d}.safetensors", state, meta)
        self.prune(keep)

    def prune(self, keep: int) -> None:
        """Removes all checkpoints but the last `keep`, and the bests that only those needed."""
        for path in self.numbered()[:-keep]:
            files.remove(path)
        self.bests.prune(self._numbers())

    def save_best(self, state: PyTree, meta: dict[str, Any]) -> None:
        """Writes the best. The one before it is kept while a checkpoint relies on it."""
        self.bests.save(state, meta, self._numbers())

    def numbered(self) -> list[Path]:
        """The checkpoints by generation, the latest last."""
        return sorted((path for path in self.checkpoints.glob("*") if _NUMBERED.fullmatch(path.name)), key=number_of)

    def load(self, path: Path, like: PyTree, identity: str) -> tuple[PyTree, dict[str, Any]]:
        """A checkpoint of this very run.

        Raises:
            CheckpointError: it is truncated, damaged or foreign; the message offers the one before it.
        """
        try:
            state, meta = load_checkpoint(path, like)
            if meta.get("identity") != identity:
                raise CheckpointError(f"checkpoint {path} is of another run: its settings or data differ")
        except CheckpointError as error:
            raise CheckpointError(f"{error}{self._offer_before(path)}") from error
        return state, meta

    def _offer_before(self, path: Path) -> str:
        """What to do instead: the newest older checkpoint whose file is whole."""
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
    """The generation in a numbered checkpoint's name."""
    match = _NUMBERED.fullmatch(path.name)
    return int(match[1]) if match else 0


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_make(path, error) from error


def _cannot_make(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot make the run directory {path}: {error.strerror}; choose another --out")
