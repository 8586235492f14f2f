"""One self-contained HTML page of a run, a study or a speedup. The package is callable: `nograd.report("runs/a")`."""

from nograd.callables import make_callable

make_callable(__name__, "nograd.report.command:report")
