"""Modules of the user's own: whatever is wrong with them is one line that names the place."""

import importlib
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


def test_the_current_folder_is_first_for_the_users_module_and_last_for_all_others(tmp_path, monkeypatch):
    (tmp_path / "beside_it.py").write_text("value = 7")
    (tmp_path / "of_mine.py").write_text("import beside_it\ndef f():\n    return beside_it.value")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "beside_it.py").write_text("value = 8")
    (elsewhere / "named_twice.py").write_text("value = 'the library'")
    (tmp_path / "named_twice.py").write_text("value = 'not meant'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(elsewhere), *sys.path])
    for name in ("beside_it", "of_mine", "named_twice"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert import_object("of_mine:f", "model")() == 7
    assert import_object("of_mine:f", "model")() == 7  # and again
    assert importlib.import_module("named_twice").value == "the library"
    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[-1] == str(tmp_path)
