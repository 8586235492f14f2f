"""The flags of `nograd report`. Nothing here imports JAX or NumPy."""

from dataclasses import dataclass

from nograd.config.fields import Positional, file_name, setting


@dataclass(frozen=True)
class ReportConfig:
    """Write one self-contained HTML page about a run, several runs compared, a study or a measured speedup."""

    paths: Positional[tuple[str, ...]] = setting((), path=True, check=file_name)
    """A run directory, or several to compare; a study directory; the folder that nograd speedup wrote, or its
    speedup.json."""
    out: str | None = setting(None, path=True, short="-o", check=file_name)
    """The HTML file to write. Default: report.html in the run, study or speedup directory; for several runs, in the
    current folder."""
    watch: bool = False
    """Write the page again whenever the files change, until the run ends or Ctrl-C is pressed."""
    open: bool = False
    """Show the page in the browser."""
