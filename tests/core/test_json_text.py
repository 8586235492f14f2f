"""JSON that every reader takes."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nograd
from nograd.core.json_text import to_json

NUMBERS = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.none(), st.text(), st.floats(width=32).map(np.float32)
)
VALUES = st.recursive(
    NUMBERS, lambda inner: st.one_of(st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(), inner))
)


def strict(text):
    def refuse(token):
        raise AssertionError(f"{token} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(VALUES)
def test_whatever_is_written_is_json(value):
    strict(to_json(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_comes_back(value):
    assert strict(to_json([value])) == [value]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf"), np.float64("nan")])
def test_what_json_has_no_number_for_is_null(value):
    assert to_json({"a": [value]}) == '{"a": [null]}'


def test_files_and_output_are_written_by_this_one_place():
    """`json.dumps` elsewhere is for texts that nograd itself reads again: options, messages, checksums."""
    known = {"json_text.py", "spec.py", "find.py", "video.py", "programs.py", "points.py", "provenance.py", "kinds.py"}
    source = Path(nograd.__file__).parent
    for path in set(source.rglob("*.py")) - set((source / "testing").glob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)]
        if any(call.attr in ("dumps", "dump") and getattr(call.value, "id", "") == "json" for call in calls):
            assert path.name in known, path
