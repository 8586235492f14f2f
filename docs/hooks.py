"""What MkDocs does with a page beside rendering it: help of the commands, links to files that are no pages, notebooks.

A line `<!-- help: train -->` becomes what `nograd train --help` prints at the time of the build. A link to a file of
the repository that is no page, such as ../benchmarks/mnist.py, becomes its name in code: the site has no such file.
A tutorial with cells (see `tutorial_cells.py`) gets a link to itself as a notebook, and pictures for light and dark.
"""

import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from tutorial_cells import INK, cells, notebook, without_claims

ROOT = Path(__file__).parent.parent
HELP = re.compile(r"^<!-- help: ?(\w*) -->$", re.M)
LINK = re.compile(r"(?<!!)\[`?([^\]`]+)`?\]\((?!\w+:)([^)#\s]+)(#[^)]*)?\)")
TUTORIALS = PurePosixPath("tutorials")
INK_ON_DARK = "#e2e6ec"


def on_files(files: Any, *, config: Any) -> Any:
    """MkDocs calls this once: adds a notebook for each tutorial, and each of their pictures for a dark page."""
    for file in list(files):
        path = PurePosixPath(file.src_uri)
        if path.parent == TUTORIALS and path.suffix == ".md" and cells(file.content_string):
            text = notebook(file.content_string, _picture)
            files.append(File.generated(config, str(path.with_suffix(".ipynb")), content=text))
        if path.parent == TUTORIALS / "pictures" and path.suffix == ".svg":
            dark = file.content_string.replace(INK, INK_ON_DARK)
            files.append(File.generated(config, str(path.with_stem(f"{path.stem}-dark")), content=dark))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """MkDocs calls this with the text of every page."""
    folder = PurePosixPath("docs", page.file.src_uri).parent
    if page.file.src_uri.startswith(f"{TUTORIALS}/") and cells(markdown):
        markdown = _tutorial(markdown, PurePosixPath(page.file.src_uri).with_suffix(".ipynb").name)
    return HELP.sub(lambda found: _help(found[1]), LINK.sub(lambda found: _link(found, folder), markdown))


def _tutorial(markdown: str, name: str) -> str:
    """The page with a link to its notebook below the title, outputs apart from code, and each picture twice."""
    title, rest = without_claims(markdown).split("\n", 1)
    rest = rest.replace("\n```output\n", "\n``` {.text .output}\n")  # a class for site.css
    rest = re.sub(r"(!\[[^\]]*\]\(pictures/[\w-]+)(\.svg)\)", r"\1\2#only-light)\n\1-dark\2#only-dark)", rest)
    return f"{title}\n\n[Download this page as a notebook]({name}){{ download }}\n{rest}"


def _picture(name: str) -> str:
    """The text of a picture of the tutorials."""
    path = ROOT / "docs" / TUTORIALS / "pictures" / name
    if not path.is_file():
        raise PluginError(f"a tutorial shows {name}, which is not there; run: make tutorials")
    return path.read_text("utf-8")


def _help(command: str) -> str:
    """The help of a command as a block of code, as wide as a narrow page."""
    words = [sys.executable, "-m", "nograd", *([command] if command else []), "--help"]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "COLUMNS": "88", "PYTHONPATH": path}
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    return f"```text\n{printed.rstrip()}\n```"


def _link(found: re.Match[str], folder: PurePosixPath) -> str:
    """The link as it is, where it leads to a page or picture; else its file's name."""
    target = os.path.normpath(folder / found[2])
    if target.startswith("docs" + os.sep) and not target.endswith(".py"):
        return found[0]
    if not (ROOT / target).exists():
        raise PluginError(f"a page of {folder} links to {target}, which is not in the repository")
    return f"`{found[1]}`"
