"""The house: every module in one of its folders, and imports that go strictly downward."""

import ast
import subprocess
import sys
from pathlib import Path

import nograd

SOURCE = Path(nograd.__file__).parent
# The folders, the lowest first: a module imports from its own folder and from those before it.
FOLDERS = (
    "core",
    "config",
    "data",
    "models",
    "envs",
    "perturbations",
    "strategies",
    "generation",
    "tasks",
    "engines",
    "runs",
    "training",
    "tuning",
    "scaling",
    "reports",
    "sklearn",
    "cli",
    "testing",
)
LONGEST = 300  # lines of a file


def folder(path: Path) -> str:
    """The folder below nograd that a file belongs to; "" for the package's own files."""
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> set[str]:
    """The modules of nograd that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("nograd.")}


def test_no_module_is_loose():
    assert {path.name for path in SOURCE.glob("*.py")} == {"__init__.py", "__main__.py"}
    assert {folder(path) for path in SOURCE.rglob("*.py")} - {""} == set(FOLDERS)


def test_imports_go_strictly_downward():
    for path in SOURCE.rglob("*.py"):
        own = folder(path)
        if not own:
            continue
        for module in imports(path):
            other = module.split(".")[1]
            if other != own:
                assert FOLDERS.index(other) < FOLDERS.index(own), f"{path.relative_to(SOURCE)} imports {module}"


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle; empty where there is none."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        found = next((found for other in sorted(graph[name]) if (found := search(other, [*path, name]))), [])
        done.add(name)
        return found

    return next((found for name in sorted(graph) if (found := search(name, []))), [])


def test_no_circle_of_files():
    """Also not by an import inside a function."""
    names = {".".join(path.relative_to(SOURCE.parent).with_suffix("").parts): path for path in SOURCE.rglob("*.py")}
    graph = {name: imports(path) & names.keys() for name, path in names.items()}
    assert circle(graph) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


def test_no_file_is_long():
    long = {str(path.relative_to(SOURCE)): count for path in SOURCE.rglob("*.py")
            if (count := len(path.read_text("utf-8").splitlines())) > LONGEST}  # fmt: skip
    assert long == {}


def test_the_check_sees_imports():
    assert imports(SOURCE / "training" / "train.py") >= {"nograd.training.job", "nograd.training.loop"}
    assert "nograd.training.train" in imports(SOURCE / "cli" / "train.py")


def test_help_needs_no_jax():
    """What answers before work is to be done imports nothing heavy."""
    code = (
        "import sys, nograd.cli.main, nograd.config.settings; "
        "print([m for m in ('jax', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
