"""The run directory: config.json, metrics.jsonl, checkpoints/ and result.json, on disk at every moment whole."""

import contextlib
import json
import re
from pathlib import Path
from typing import IO, Any

from nograd.core.types import CheckpointError, PyTree, RunError
from nograd.runs.checkpoint import checkpoint_meta, load_checkpoint, save_checkpoint, write_atomically

BEST = "best.safetensors"
_NUMBERED = re.compile(r"generation-(\d+)\.safetensors")


class RunDirectory:
    """One training on disk. Every error names the file and what to do."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._metrics: IO[str] | None = None

    @classmethod
    def create(cls, path: str | Path, config: dict[str, Any]) -> "RunDirectory":
        """A new run. Raises RunError where the folder holds a run, or cannot be written."""
        run = cls(path)
        if (run.path / "config.json").exists():
            raise RunError(
                f"{path} holds another run; choose another --out, or go on with that one: nograd train --resume {path}"
            )
        try:
            run.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the run directory {path}: {error.strerror}; choose another --out") from error
        run._write_json("config.json", config)
        return run

    @classmethod
    def open(cls, path: str | Path) -> "RunDirectory":
        """A run that exists. Raises RunError where there is none."""
        run = cls(path)
        if not (run.path / "config.json").is_file():
            raise RunError(f"{path} is not a run directory: it has no config.json; name one that nograd wrote")
        return run

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the highest validation accuracy."""
        return self.checkpoints / BEST

    def config(self) -> dict[str, Any]:
        return self._read_json("config.json")

    def result(self) -> dict[str, Any] | None:
        """result.json, or None while the run has not ended."""
        return self._read_json("result.json") if (self.path / "result.json").is_file() else None

    def write_config(self, config: dict[str, Any]) -> None:
        self._write_json("config.json", config)

    def write_result(self, result: dict[str, Any]) -> None:
        self._write_json("result.json", result)

    # Metrics ---------------------------------------------------------------------------------------------

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line cut off by a crash is left out."""
        return [line for _, line in self._metric_lines()]

    def log(self, line: dict[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        try:
            self._metrics = self._metrics or path.open("a", encoding="utf-8")
            self._metrics.write(json.dumps(line) + "\n")
            self._metrics.flush()
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}; make room, then go on with --resume") from error

    def truncate_metrics(self, generation: int) -> None:
        """Drops the lines after `generation`: a resumed run writes them again."""
        self.close()
        kept = [text for text, line in self._metric_lines() if line["generation"] <= generation]
        write_atomically(self.path / "metrics.jsonl", "".join(f"{text}\n" for text in kept).encode())

    def close(self) -> None:
        """Closes metrics.jsonl; the next `log` opens it again."""
        if self._metrics is not None:
            with contextlib.suppress(OSError):  # a full disk has been reported by `log` already
                self._metrics.close()
            self._metrics = None

    def _metric_lines(self) -> list[tuple[str, dict[str, Any]]]:
        path = self.path / "metrics.jsonl"
        lines = []
        for text in path.read_text("utf-8").splitlines() if path.is_file() else []:
            with contextlib.suppress(json.JSONDecodeError):
                lines.append((text, json.loads(text)))
        return lines

    # Checkpoints -----------------------------------------------------------------------------------------

    def save(self, generation: int, state: PyTree, meta: dict[str, Any], keep: int) -> None:
        """Writes the checkpoint of `generation` and removes all but the last `keep`."""
        save_checkpoint(self.checkpoints / f"generation-{generation:08d}.safetensors", state, meta)
        for path in self.numbered()[:-keep]:
            path.unlink(missing_ok=True)

    def save_best(self, state: PyTree, meta: dict[str, Any]) -> None:
        save_checkpoint(self.best, state, meta)

    def numbered(self) -> list[Path]:
        """The checkpoints by generation, the latest last."""
        return sorted(path for path in self.checkpoints.glob("*") if _NUMBERED.fullmatch(path.name))

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
        if path == self.best:
            return "; delete it, and the best is chosen anew from here on"
        older = [other for other in self.numbered() if other.name < path.name]
        for other in reversed(older):
            with contextlib.suppress(CheckpointError):
                checkpoint_meta(other)
                return f"; the one before it is whole: nograd train --resume {other}"
        return "; no older checkpoint is left: start the run anew"

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        write_atomically(self.path / name, (json.dumps(content, indent=2) + "\n").encode())

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise RunError(f"cannot read {path}: {error}; it is not a run that nograd wrote") from error
        if not isinstance(content, dict):
            raise RunError(f"cannot read {path}: not a JSON object; it is not a run that nograd wrote")
        return content
