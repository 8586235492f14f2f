"""`nograd report`: one page, written once or whenever its files change."""

import time
from collections.abc import Callable
from pathlib import Path

from nograd.core.types import RunError
from nograd.reports.browser import show
from nograd.reports.charts import require_library
from nograd.reports.settings import ReportConfig
from nograd.reports.subject import Subject, subject
from nograd.runs.files import write_atomically

REFRESH = 5  # seconds after which a page that is not finished loads itself again
_LOOK = 1.0  # seconds between two looks at the files
_PAUSE = 9  # times as long as a page took, before the next: a tenth of one core at the most


def report(*paths: str | Path, out: str | Path | None = None) -> Path:
    """Writes one self-contained HTML page, and returns where it is.

    Args:
        paths: a run directory, or several to compare; a study directory; a speedup directory or speedup.json.
        out: the file; by default report.html in that directory, or in the current one for several runs.

    Raises:
        NogradError: a path is not what nograd wrote, the page cannot be written, or the chart library is missing.
    """
    require_library()
    what = subject(paths)
    return _write(what, place(what, out), None)


def run_report(config: ReportConfig, tell: Callable[[str], None]) -> Path:
    """What the command does; `tell` gets a line of text now and then."""
    if not config.watch:
        path = report(*config.paths, out=config.out)
        tell(f"page: {path}")
        if config.open:
            show(path, tell)
        return path
    require_library()
    what = subject(config.paths)
    path = place(what, config.out)
    try:
        watch(what, path, tell, config.open)
    except KeyboardInterrupt:
        tell("no longer watched")
    return path


def watch(what: Subject, path: Path, tell: Callable[[str], None], browser: bool = False) -> None:
    """Writes the page, and again after each change of its sources, until it has ended."""
    seen: object = None
    while True:
        # In this order: what changes meanwhile is seen at the next look.
        stamp, ended, start = _stamp(what), what.ended(), time.monotonic()
        first = seen is None
        if stamp != seen or ended:
            _write(what, path, None if ended else REFRESH)
            seen = stamp
        if first:
            tell(f"page: {path}" + ("" if ended else ", written anew with each change; Ctrl-C ends that"))
            if browser:
                show(path, tell)
        if ended:
            return
        time.sleep(max(_LOOK, _PAUSE * (time.monotonic() - start)))


def place(what: Subject, out: str | Path | None) -> Path:
    """Where the page goes. Raises RunError for a folder that is not there, or in the place of the file."""
    path = Path(out) if out else what.folder / "report.html"
    if path.is_dir():
        raise RunError(f"--out {path} is a folder; name a file in it, such as {path / 'report.html'}")
    if not path.parent.is_dir():
        raise RunError(f"--out {path}: the folder {path.parent} does not exist; make it, or name another file")
    return path


def _write(what: Subject, path: Path, refresh: int | None) -> Path:
    page = what.page(refresh).encode()
    try:
        write_atomically(path, page)
    except RunError as error:  # the remedy there is for a training
        reason = error.__cause__
        said = getattr(reason, "strerror", None) or reason
        raise RunError(f"cannot write the page {path}: {said}; name another file with --out") from error
    return path


def _stamp(what: Subject) -> tuple[tuple[int, int], ...]:
    """Changes when one of the sources does."""
    found = [path.stat() if path.exists() else None for path in what.sources]
    return tuple((stat.st_mtime_ns, stat.st_size) if stat else (0, 0) for stat in found)
