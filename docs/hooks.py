"""What MkDocs does beside rendering pages: help of the commands, links to files that are no pages, and the colours.

A line `<!-- help: train -->` becomes what `nograd train --help` prints at the time of the build. A link to a file of
the repository that is no page, such as ../benchmarks/mnist.py, becomes its name in code: the site has no such file.
"""

import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from nograd.core.colours import PALETTE

ROOT = Path(__file__).parent.parent
HELP = re.compile(r"^<!-- help: ?(\w*) -->$", re.M)
LINK = re.compile(r"(?<!!)\[`?([^\]`]+)`?\]\((?!\w+:)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs calls this with all files of the site; palette.css gives it the colours of the report pages."""
    files.append(File.generated(config, "palette.css", content=palette()))
    return files


def palette() -> str:
    """The rules of CSS that hand nograd's colours to the theme."""
    blue, orange = PALETTE["series-0"], PALETTE["series-1"]
    head = f"--md-primary-fg-color: {blue.light}; --md-primary-bg-color: #ffffff;"
    rules = [
        f'[data-md-color-scheme="{scheme}"] {{ {head} --md-accent-fg-color: {accent}; --md-typeset-a-color: {link}; }}'
        for scheme, link, accent in (("default", blue.light, orange.light), ("slate", blue.dark, orange.dark))
    ]
    return "\n".join(rules) + "\n"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """MkDocs calls this with the text of every page."""
    folder = PurePosixPath("docs", page.file.src_uri).parent
    return HELP.sub(lambda found: _help(found[1]), LINK.sub(lambda found: _link(found, folder), markdown))


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
