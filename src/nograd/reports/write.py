"""`nograd report`: writes one page, once or whenever the files that it shows change."""

import time
from collections.abc import Callable
from pathlib import Path

from nograd.core.types import RunError
from nograd.reports.browser import show
from nograd.reports.charts import require_library
from nograd.reports.settings import ReportConfig
from nograd.reports.subject import Subject, subject
from nograd.runs.files import write_atomically

REFRESH = 5  # seconds after which the browser reloads an unfinished page
_LOOK = 1.0  # seconds between two checks of the files
_PAUSE = 9  # pause after writing a page, in multiples of the time that it took: at most 1/10 of one core is used


def report(*paths: str | Path, out: str | Path | None = None) -> Path:
    """Writes one self-contained HTML page and returns its path.

    Args:
        paths: a run directory, or several to compare; a study directory; a speedup directory or its speedup.json.
        out: the file; default report.html in that directory, or for several runs in the current folder.

    Raises:
        NogradError: a path is not from nograd, the page cannot be written, or the chart library is missing.
    """
    require_library()
    what = subject(paths)
    return _write(what, place(what, out), None)


def run_report(config: ReportConfig, tell: Callable[[str], None]) -> Path:
    """Runs `nograd report`: writes the page, and with --watch again after changes; `tell` gets lines of text.

    Returns:
        The path of the page.
    """
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
    """Writes the page, and again whenever its sources change, until they will not change any more."""
    seen: object = None
    while True:
        # Read before writing: a change during the writing is then seen at the next check.
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
    """The path of the page. Raises RunError if its folder does not exist, or if the path is a folder."""
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
    except RunError as error:  # that message gives a remedy for trainings
        reason = error.__cause__
        said = getattr(reason, "strerror", None) or reason
        raise RunError(f"cannot write the page {path}: {said}; name another file with --out") from error
    return path


def _stamp(what: Subject) -> tuple[tuple[int, int], ...]:
    """Times and sizes of the source files; the value changes when one of them does."""
    found = [path.stat() if path.exists() else None for path in what.sources]
    return tuple((stat.st_mtime_ns, stat.st_size) if stat else (0, 0) for stat in found)
