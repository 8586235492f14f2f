"""Runs the tutorials and writes their outputs and pictures again: python docs/run_tutorials.py [PAGE ...].

With --check nothing is written: it ends with an error if a cell fails, a claim does not hold, or a cell prints other
words than the page shows (numbers may differ: another processor rounds in another way). `tutorial_cells.py` says how a
page is written.
"""

import argparse
import ast
import io
import os
import re
import subprocess
import sys
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from tutorial_cells import INK, Cell, cells, rewritten

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "tutorials"
# Sums then have one order on every machine, and threads do not wait for each other where other programs run.
ONE_THREAD = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
STYLE = {
    "figure.figsize": (7.0, 3.0),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Of a lightness that can be read on white and on black.
    "axes.prop_cycle": "cycler(color=['#4f78d8', '#d9731f', '#2a9d6f', '#b85ac0', '#8a8f98'])",
    "legend.frameon": False,
    "savefig.transparent": True,
    "svg.fonttype": "none",  # the reader's fonts, and files that show in a diff what has changed
    "svg.hashsalt": "nograd",
}


class StaleError(Exception):
    """A page does not show what its cells do."""


class Kernel:
    """Runs the cells of a page in one namespace, in the current folder."""

    def __init__(self, page: str) -> None:
        self.page, self.number = page, 0
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, cell: Cell) -> str:
        """What a cell prints, after its claims were checked; "" for a file."""
        self.number += 1
        if cell.file:
            Path(cell.file).write_text(cell.source, "utf-8")
            return ""
        if not cell.runs:
            return ""
        printed = self._python(cell) if cell.language == "python" else _shell(cell)
        printed = printed.replace(f"{Path.cwd()}/", "")  # the reader's folder is another one
        _refuse_places(printed, self._where(cell))
        for claim in cell.claims:
            if not eval(claim, {**self.names, "printed": printed}):
                raise StaleError(f"{self._where(cell)} does not hold: {claim}\n{printed}")
        return printed

    def _where(self, cell: Cell) -> str:
        return f"{self.page}, cell {self.number} ({cell.source.splitlines()[0]})"

    def _python(self, cell: Cell) -> str:
        """As a notebook does: what is printed, then the value of the last expression."""
        name, tree = f"<{self.page}, cell {self.number}>", ast.parse(cell.source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with redirect_stdout(io.StringIO()) as out:
            exec(compile(tree, name, "exec"), self.names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
                if value is not None:
                    print(repr(value))
        return out.getvalue()


def _shell(cell: Cell) -> str:
    """Runs a block by sh, with the programs that lie beside this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "100"}
    done = subprocess.run(["sh", "-e"], input=cell.source, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise StaleError(f"{cell.source}ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _refuse_places(printed: str, where: str) -> None:
    """Raises StaleError where an output names a folder of this machine."""
    for place in {str(ROOT), str(Path.home()), str(Path.cwd()), tempfile.gettempdir()} - {"/"}:
        if place in printed:
            raise StaleError(f"{where} prints {place}, a folder of this machine")


def figures(cell: Cell) -> dict[str, str]:
    """The figures that a cell has drawn with pyplot as SVG texts, by the names that the page gives them."""
    from matplotlib import pyplot as plt

    drawn = plt.get_fignums()
    if len(drawn) != len(cell.pictures):
        raise StaleError(f"a cell draws {len(drawn)} figures and names {len(cell.pictures)} pictures:\n{cell.source}")
    return {name: _svg(plt.figure(number)) for number, (_, name) in zip(drawn, cell.pictures, strict=True)}


def _svg(figure: Any) -> str:
    from matplotlib import pyplot as plt

    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return re.sub(r"[ \t]+$", "", text.getvalue(), flags=re.M)


def shape(text: str) -> str:
    """An output without numbers, their units, spaces and the count of workers: what is the same on every machine."""
    text = re.sub(r"^workers: .*\n", "", text, flags=re.M)
    text = re.sub(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?(?: ?(?:k|M|G|ms|s|min|h)\b)?", "#", text)
    return re.sub(r"#+", "#", "".join(text.split()))


def execute(path: Path, check: bool) -> None:
    """Runs a page in the current folder; writes its outputs and pictures again, or compares the outputs."""
    import matplotlib as mpl

    mpl.use("svg")  # no window; plt.show() leaves the figures open
    warnings.filterwarnings("ignore", ".*cannot be shown")
    mpl.rcParams.update(STYLE)
    sys.path.insert(0, "")  # for the files that the page writes
    kernel, text = Kernel(path.stem), path.read_text("utf-8")

    def done(cell: Cell) -> str:
        printed = kernel.run(cell)
        pictures = figures(cell)
        if check and shape(printed) != shape(cell.output or ""):
            raise StaleError(f"{path.stem}, cell {kernel.number} prints\n{printed}and the page shows\n{cell.output}")
        if not check:
            for name, svg in pictures.items():
                (FOLDER / "pictures" / name).write_text(svg, "utf-8")
        return printed

    after = rewritten(text, done)
    if not check:
        path.write_text(after, "utf-8")


def executable() -> list[Path]:
    """The pages that have cells."""
    return [path for path in sorted(FOLDER.glob("*.md")) if any(cell.runs for cell in cells(path.read_text("utf-8")))]


def main() -> None:
    """Runs each page in a process and a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="such as own-table; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    parser.add_argument("--here", action="store_true", help="run the page in this process and folder")
    given = parser.parse_args()
    pages = [FOLDER / f"{name}.md" for name in given.pages] or executable()
    if given.here:
        try:
            for page in pages:
                execute(page, given.check)
        except StaleError as error:
            sys.exit(str(error))
        return
    for page in pages:
        print(page.stem, flush=True)
        words = [sys.executable, __file__, "--here", page.stem, *(["--check"] if given.check else [])]
        environment = {**ONE_THREAD, **os.environ}
        with tempfile.TemporaryDirectory() as folder:
            if code := subprocess.run(words, cwd=folder, env=environment).returncode:
                sys.exit(code)


if __name__ == "__main__":
    main()
