"""Imports go strictly downward: a module imports only from floors below its own, or within its own package."""

import ast
from pathlib import Path

import nograd

SOURCE = Path(nograd.__file__).parent
# The floors of the house, the lowest first. A package stands for all of its modules.
FLOORS = [
    {"types"},
    {
        "cache",
        "callables",
        "choices",
        "formats",
        "imports",
        "marks",
        "measures",
        "rng",
        "screen",
        "task_settings",
        "trees",
    },
    {"shaping", "perturb"},
    {"strategies", "gradient"},
    {"data", "envs", "fitness", "models"},
    {"tasks"},
    {"engines"},
    {"checkpoint", "config"},
    {"recipes", "validation"},
    {"makers", "play", "run"},
    {"loop", "build", "curves"},
    {"identity"},
    {"handed", "results", "display"},
    {"page"},
    {"observers"},
    {"session", "speedup"},
    {"search"},
    {"report"},
    {"commands"},
    {"cli"},
    {"__main__", "__init__"},
]
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}


def room(path: Path) -> str:
    """The module or package, just below nograd, that a file belongs to."""
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    """The rooms of nograd that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "nograd" else [module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("nograd.")}
    return found - {"__version__"}


def test_every_room_has_a_floor():
    assert {room(path) for path in SOURCE.rglob("*.py")} - {"presets"} == set(FLOOR_OF)


def test_imports_go_strictly_downward():
    for path in SOURCE.rglob("*.py"):
        own = room(path)
        for other in imports(path) - {own}:
            assert FLOOR_OF[other] < FLOOR_OF[own], f"{path.relative_to(SOURCE)} imports nograd.{other}"


def test_the_check_sees_imports():
    assert imports(SOURCE / "session.py") >= {"build", "config", "loop", "engines"}
    assert "session" in imports(SOURCE / "commands" / "train.py")


def test_help_needs_no_jax():
    """What answers before work is to be done imports nothing heavy."""
    import subprocess
    import sys

    code = (
        "import sys, nograd.cli, nograd.config; print([m for m in ('jax', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
