"""The flags of `nograd report`. Nothing here imports JAX or NumPy."""

from dataclasses import dataclass

from nograd.config.fields import Positional, file_name, setting


@dataclass(frozen=True)
class ReportConfig:
    """One self-contained HTML page of a run, of several runs compared, of a study or of a speedup."""

    paths: Positional[tuple[str, ...]] = setting((), path=True, check=file_name)
    """A run directory, or several; a study directory; the folder of nograd speedup, or its speedup.json."""
    out: str | None = setting(None, path=True, short="-o", check=file_name)
    """The HTML file. Default: report.html in the run, study or speedup directory; of several runs, here."""
    watch: bool = False
    """Write the page anew whenever the files change, until the run ends or Ctrl-C is pressed."""
    open: bool = False
    """Show the page in the browser."""
