"""The tutorials: how pages are read and written, what stands in them, and (slow) that they still do what they show."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import run_tutorials
from tutorial_cells import Cell, cells, notebook, rewritten, without_claims

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "tutorials"
PAGES = run_tutorials.executable()
LARGEST = 60_000  # bytes of a picture
PAGE = """# A page

```python
# there.py
VALUE = 1
```

Text.

```python
import there

print(there.VALUE + 1)
```

```output
2
```

<!-- holds: there.VALUE == 1 -->

<!-- holds: printed == "2\\n" -->

```sh
nograd never run
```

```sh
echo $((2 + 3))
```

```output
5
```

[Elsewhere](other.md) and [outside](https://example.org).
"""
by_name = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def test_a_page_is_read_and_written_unchanged():
    assert [cell.runs for cell in cells(PAGE)] == [False, True, False, True]
    assert cells(PAGE)[0].file == "there.py"
    assert cells(PAGE)[1].claims == ["there.VALUE == 1", 'printed == "2\\n"']
    assert rewritten(PAGE, lambda cell: cell.output) == PAGE
    assert "```output\n3\n```" in rewritten(PAGE, lambda cell: "3\n" if cell.output else None)


@by_name
def test_pages_are_written_as_the_script_writes_them(path):
    text = path.read_text("utf-8")
    assert rewritten(text, lambda cell: cell.output) == text


@by_name
def test_claims_and_code_can_be_read_and_pictures_are_there(path):
    text = path.read_text("utf-8")
    for cell in cells(text):
        for claim in cell.claims:
            ast.parse(claim, mode="eval")
        if cell.language == "python":
            ast.parse(cell.source)
        for what, name in cell.pictures:
            assert what, f"{name} says nothing to who cannot see it"
            assert (FOLDER / "pictures" / name).stat().st_size <= LARGEST
    assert "holds:" not in without_claims(text)
    assert any(cell.claims for cell in cells(text)), "nothing of what the page says is checked"


def test_every_picture_is_shown():
    shown = {name for path in PAGES for cell in cells(path.read_text("utf-8")) for _, name in cell.pictures}
    assert {path.name for path in (FOLDER / "pictures").iterdir()} == shown


def test_outputs_name_no_machine():
    for path in PAGES:
        for cell in cells(path.read_text("utf-8")):
            assert not re.search(r"/(?:home|tmp|root|Users|work)/|0x[0-9a-f]{6}", cell.output or ""), path.name


def run(folder: Path, page: str, name: str) -> str:
    """The standard error of a check of a page."""
    (folder / "docs" / "tutorials").mkdir(parents=True, exist_ok=True)
    for script in ("run_tutorials.py", "tutorial_cells.py"):
        shutil.copy(ROOT / "docs" / script, folder / "docs")
    (folder / "docs" / "tutorials" / f"{name}.md").write_text(page, "utf-8")
    words = [sys.executable, folder / "docs" / "run_tutorials.py", "--check", name]
    return subprocess.run(words, capture_output=True, text=True, timeout=120).stderr


def test_a_check_finds_what_is_no_longer_true(tmp_path):
    assert run(tmp_path, PAGE, "page") == ""
    assert "does not hold: there.VALUE == 2" in run(
        tmp_path, PAGE.replace("there.VALUE == 1", "there.VALUE == 2"), "page"
    )
    assert "prints\n2" in run(tmp_path, PAGE.replace("```output\n2\n", "```output\ntwo\n"), "page")
    assert "folder of this machine" in run(
        tmp_path, PAGE.replace("print(there.VALUE + 1)", "print(__import__('os').path.expanduser('~'))"), "page"
    )
    assert "exit code 3" in run(tmp_path, PAGE.replace("echo $((2 + 3))", "exit 3"), "page")


def test_numbers_and_workers_may_differ():
    shape = run_tutorials.shape
    assert shape("a 1.05 M evaluations/s  1.5 s\nworkers: 2, each a process\n") == shape(
        "a 593 k evaluations/s  980 ms\n"
    )
    assert shape("[[1.   0.25]]") == shape("[[0.99 0.3 ]]")
    assert shape("accuracy 97%") != shape("error 97%")


def test_a_notebook_has_the_cells_and_their_outputs():
    made = json.loads(notebook(PAGE, lambda name: f"<svg>{name}</svg>"))
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    kinds = [(cell["cell_type"], "".join(cell["source"]).splitlines()[0]) for cell in made["cells"]]
    assert kinds == [
        ("markdown", "# A page"), ("code", "%%writefile there.py"), ("markdown", "Text."), ("code", "import there"),
        ("markdown", "```sh"), ("code", "%%sh"), ("markdown", "Elsewhere and [outside](https://example.org)."),
    ]  # fmt: skip
    assert made["cells"][3]["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["2\n"]}]
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])


def test_a_notebook_shows_pictures():
    page = "```python\n1\n```\n\n![It](pictures/a-b.svg)\n"
    assert cells(page) == [Cell("python", "1\n", None, [("It", "a-b.svg")], [])]
    (cell,) = json.loads(notebook(page, lambda name: f"<svg>{name}</svg>"))["cells"]
    assert cell["outputs"][0]["data"] == {"image/svg+xml": ["<svg>a-b.svg</svg>"]}


@pytest.mark.slow
@by_name
def test_a_tutorial_does_what_it_shows(path, request, monkeypatch):
    """Every cell runs, every claim holds, and the words that are printed are those of the page."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")  # as readers run them
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if 'load("mnist")' in path.read_text("utf-8"):
        request.getfixturevalue("mnist_dir")
    if "\ncc " in path.read_text("utf-8") and not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    words = [sys.executable, ROOT / "docs" / "run_tutorials.py", "--check", path.stem]
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
