"""An import inside a function must save something: a package that takes long to import, or that may not be there."""

import ast
from functools import cache
from pathlib import Path

import nograd

SOURCE = Path(nograd.__file__).parent
# What takes long to import, and not every command needs.
SLOW = {"jax", "matplotlib", "narwhals", "numpy", "openpyxl", "optuna", "PIL", "polars", "rich", "scipy", "sklearn",
        "sqlalchemy"}  # fmt: skip
# What only extras bring, or a notebook.
OPTIONAL = {"IPython", "ale_py", "brax", "envpool", "equinox", "flax", "gymnasium", "imageio", "keras", "ray",
            "tensorboard", "torch", "vl_convert", "wandb"}  # fmt: skip


def modules(node):
    """The modules that an import statement may bring: `from a import b` brings a, and perhaps a.b."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}


def statements(nodes, inside=False):
    """(import statement, whether it is inside a function) of a body, without those for type checkers alone."""
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, inside
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from statements(node.orelse, inside)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from statements(ast.iter_child_nodes(node), inside or function)


@cache
def file_of(module):
    path = SOURCE.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def imports(file):
    return list(statements(ast.parse(file.read_text("utf-8")).body))


@cache
def top_imports(file):
    return set().union(*(modules(node) for node, inside in imports(file) if not inside))


@cache
def brought(names):
    """The slow and optional packages that importing these modules brings, through whatever of nograd they import."""
    done, left = set(), set(names)
    while left:
        name = left.pop()
        parts = name.split(".")
        done |= {name}
        if parts[0] == "nograd":
            within = {".".join(parts[:count]) for count in range(1, len(parts))}  # its packages are imported, too
            file = file_of(name)
            left |= (within | (top_imports(file) if file else set())) - done
    return {name.partition(".")[0] for name in done} & (SLOW | OPTIONAL)


def needless(file):
    """The imports inside functions that bring nothing slow or optional which the file does not bring by itself."""
    own = brought(frozenset(top_imports(file) | {"nograd", *packages(file)}))
    late = [node for node, inside in imports(file) if inside]
    return [f"{file.relative_to(SOURCE)}:{node.lineno}: {ast.unparse(node)}"
            for node in late if not brought(frozenset(modules(node))) - own]  # fmt: skip


def packages(file):
    folders = file.relative_to(SOURCE).parts[:-1]
    return {".".join(("nograd", *folders[: count + 1])) for count in range(len(folders))}


def test_an_import_inside_a_function_saves_something():
    assert [line for file in sorted(SOURCE.rglob("*.py")) for line in needless(file)] == []


def test_the_check_sees_what_is_brought(tmp_path):
    assert brought(frozenset({"nograd.config.settings"})) == set()
    assert brought(frozenset({"nograd.training.train"})) >= {"jax", "numpy"}
    assert not brought(frozenset({"nograd.engines.ray"})) & OPTIONAL
