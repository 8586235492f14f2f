"""What the documents show is run: every example, and every Python block of the README and the docs."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("optimized")  # as readers run them: some train for long
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name(path: Path) -> str:
    """A page as `how-to/models`, and `README`."""
    return path.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/")


def blocks(text: str, *languages: str) -> list[str]:
    """The blocks of a page in these languages. All fences are read in their order: the end of one is no beginning."""
    found = re.findall(r"^ *```([^\n`]*)\n(.*?)^ *```$", text, re.S | re.M)
    return [block for language, block in found if language.strip() in languages]


def test_all_blocks_are_found():
    text = "```python\na\n```\nnograd train x\n```sh\nb\n```\n- c\n  ```sh\n  d\n  ```\n```\ne\n```\n"
    assert blocks(text, "python") == ["a\n"]
    assert blocks(text, "sh", "") == ["b\n", "  d\n", "e\n"]


def run(code_or_path: list[str], folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, *code_or_path], cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path):
    run([str(path)], tmp_path)


# Seconds each: they run before a release. That their code parses, and that its names and flags exist, is tested always.
LONG = (
    *("README", "getting-started", "explanations/workers", "explanations/training", "explanations/perturbations"),
    *("explanations/strategies", "how-to/models", "how-to/minimize", "how-to/extending", "how-to/metrics"),
    *("how-to/search", "how-to/report", "how-to/environments", "how-to/export"),
)


# Tutorials are run by test_tutorials.py, which checks what they print as well.
WITH_PYTHON = [page for page in PAGES if "```python\n" in page.read_text("utf-8") and page.parent.name != "tutorials"]


@pytest.mark.parametrize(
    "path",
    [pytest.param(page, id=name(page), marks=pytest.mark.slow if name(page) in LONG else ()) for page in WITH_PYTHON],
)
def test_python_blocks(path, tmp_path, monkeypatch):
    """The blocks of a page in their order, as one script; in this process, which has JAX and the rest imported.

    A block that begins with "# NAME.py" is written to that file, from where the others import it.
    """
    code = blocks(path.read_text("utf-8"), "python")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for block in list(code):
        if named := re.match(r"# (\w+\.py)\n", block):
            (tmp_path / named[1]).write_text(block, "utf-8")
            code.remove(block)
    exec(compile("\n".join(code), str(path), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_other_blocks_are_well_formed(path):
    """YAML reads as a mapping, and shells take their scripts."""
    text = path.read_text("utf-8")
    for block in blocks(text, "yaml"):
        yaml = pytest.importorskip("yaml")  # comes with Ray
        assert isinstance(yaml.safe_load(block), dict)
    for block in blocks(text, "sh", "bash"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path):
    text = path.read_text("utf-8")
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.S | re.M)  # code is no link
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r' src(?:set)?="([^"]+)"', text):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{name(path)} links to {target}"


def _settings() -> dict[str, type]:
    """The dataclass that each command reads its flags into."""
    from nograd.cli.runs import EvaluateConfig, PredictConfig
    from nograd.config.settings import TrainConfig
    from nograd.reports.settings import ReportConfig
    from nograd.scaling.settings import SpeedupConfig
    from nograd.tuning.settings import SearchConfig

    return {
        "train": TrainConfig,
        "evaluate": EvaluateConfig,
        "predict": PredictConfig,
        "search": SearchConfig,
        "speedup": SpeedupConfig,
        "report": ReportConfig,
    }


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_commands_are_real(path):
    """Every `nograd` line of a shell block is read as its command reads it: the flags exist, and take such values."""
    from nograd.cli.commands import COMMANDS
    from nograd.cli.flags import parse_given

    kinds = _settings()
    for block in blocks(path.read_text("utf-8"), "sh", "bash", "console", ""):
        for line in re.findall(r"^\$? ?nograd (.+)$", block.replace("\\\n", " "), re.M):
            words = takewhile(lambda word: word not in (">", ">>", "|", "&&", "&"), shlex.split(line, comments=True))
            command, *arguments = words
            assert command in {*COMMANDS, "--help", "--version"}, line
            arguments = [word for word in arguments if word != "--debug" and word != "…"]
            if command in kinds and "--help" not in arguments:
                parse_given(kinds[command], arguments, f"nograd {command}")


def test_the_page_of_words_has_a_row_for_every_entry_of_every_registry():
    script = ROOT / "docs" / "reference" / "words.py"
    page = runpy.run_path(str(script))["page"]()
    assert script.with_suffix(".md").read_text("utf-8") == page, "run: python docs/reference/words.py"
