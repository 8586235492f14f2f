"""The exception tree."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nograd as ng
from nograd.core import types

ERRORS = [one for one in vars(types).values() if isinstance(one, type) and issubclass(one, ng.NogradError)]


@pytest.mark.parametrize("kind", ERRORS)
@given(text=st.text())
def test_an_error_is_one_line_whatever_it_names(kind, text):
    error = kind(f"--val {text} is for tables")
    assert len(str(error).splitlines()) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    if len(text.splitlines()) < 2 and text.strip() == text:
        assert str(error) == f"--val {text} is for tables"


def test_a_name_with_line_breaks_from_python_too(tmp_path):
    with pytest.raises(ng.NogradError, match="is for tables") as caught:
        ng.train("digits", val="a\nb", out=tmp_path / "run")
    assert "\n" not in str(caught.value)
