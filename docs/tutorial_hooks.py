"""What MkDocs does with a tutorial that has cells (see `tutorial_cells.py`): its notebook, outputs and pictures.

The page gets a link to itself as a notebook, which is made here, and each picture in the ink of light and dark pages.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from tutorial_cells import INK, cells, notebook, without_claims

FOLDER = PurePosixPath("tutorials")
PICTURES = Path(__file__).parent / FOLDER / "pictures"
INK_ON_DARK = "#e2e6ec"
_PICTURE = re.compile(r"(!\[[^\]]*\]\(pictures/[\w-]+)(\.svg)\)")


def on_files(files: Any, *, config: Any) -> Any:
    """MkDocs calls this once: adds a notebook for each tutorial, and each of their pictures for a dark page."""
    for file in list(files):
        path = PurePosixPath(file.src_uri)
        if path.parent == FOLDER and path.suffix == ".md" and cells(file.content_string):
            text = notebook(file.content_string, _picture)
            files.append(File.generated(config, str(path.with_suffix(".ipynb")), content=text))
        if path.parent == FOLDER / "pictures" and path.suffix == ".svg":
            dark = file.content_string.replace(INK, INK_ON_DARK)
            files.append(File.generated(config, str(path.with_stem(f"{path.stem}-dark")), content=dark))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """MkDocs calls this with the text of every page."""
    path = PurePosixPath(page.file.src_uri)
    if path.parent != FOLDER or not cells(markdown):
        return markdown
    title, rest = without_claims(markdown).split("\n", 1)
    rest = rest.replace("\n```output\n", "\n``` {.text .output}\n")  # a class for site.css
    rest = _PICTURE.sub(r"\1\2#only-light)\n\1-dark\2#only-dark)", rest)
    return f"{title}\n\n[Download this page as a notebook]({path.with_suffix('.ipynb').name}){{ download }}\n{rest}"


def _picture(name: str) -> str:
    """The text of a picture of the tutorials."""
    if not (PICTURES / name).is_file():
        raise PluginError(f"a tutorial shows {name}, which is not there; run: make tutorials")
    return (PICTURES / name).read_text("utf-8")
