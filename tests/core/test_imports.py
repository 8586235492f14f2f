"""Modules of the user's own: whatever is wrong with them is one line that names the place."""

import sys

import pytest

from nograd.core.imports import call_object, import_object
from nograd.core.types import ConfigError

BROKEN = {
    "syntax": ("def f(:", "SyntaxError"),
    "encoding": (b"x = '\xff'", "SyntaxError"),
    "raises": ("x = 1\n1 / 0", r"ZeroDivisionError: division by zero \(.*raises.py, line 2\)"),
    "leaves": ("raise SystemExit(3)", r"SystemExit: 3 \(.*, line 1\)"),
    "imports": ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "lacks": ("", "has no attribute 'f'"),
    "number": ("f = 3", "is int, not a function"),
    "nothing": ("def f():\n    return None", "returned None; return the model"),
    "fails": ("def f():\n    return {}['a\\nb']", r"KeyError: .* \(.*fails.py, line 2\)"),
    "needs": ("def f(x):\n    return x", "missing 1 required positional argument"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_is_one_line(name, tmp_path, monkeypatch):
    source, message = BROKEN[name]
    path = tmp_path / f"broken_{name}.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ConfigError, match=message) as found:
        call_object(f"broken_{name}:f", "model")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("spec", ["./mine.py:f", "mine.py:f", "a/mine.py:f", "./mine:f"])
def test_a_file_in_place_of_a_module_is_named_as_one(spec):
    with pytest.raises(ConfigError, match=r"names a file; write (a\.)?mine:f"):
        import_object(spec, "model")
