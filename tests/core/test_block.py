"""The block that a terminal redraws: it fits any width, and shows what matters most."""

import io
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from nograd.core.block import Block, sparkline
from nograd.core.console import ProgressDisplay, standard_console
from nograd.core.text import compact

# On a busy machine an example may take long, which is no fault of what is tested.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60), max_size=5),
    st.lists(st.floats(), max_size=50),
    st.integers(20, 200),
)
def test_it_fits_any_width(parts, curve, width):
    out = io.StringIO()
    Console(file=out, width=width, force_jupyter=False).print(Block(10, 3, "3/10, 5 s left", parts, curve))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)


def test_the_last_parts_go_first():
    block = Block(10, 3, "", ["val accuracy 97.20%", "best 98.00%", "12.9 M/s"], [0.1, 0.5, 0.9])
    assert block.second_line(80) == "val accuracy 97.20%  best 98.00%  12.9 M/s  ▁▅█"
    assert block.second_line(40) == "val accuracy 97.20%  best 98.00%  ▁▅█"
    assert block.second_line(24) == "val accuracy 97.20%  ▁▅█".removesuffix("  ▁▅█")
    assert block.second_line(80, ascii_only=True).isascii()


@UNHURRIED
@given(st.lists(st.floats(), max_size=100), st.integers(1, 40))
def test_a_curve_has_at_most_its_width(values, width):
    finite = [value for value in values if math.isfinite(value)]
    count = min(width, len(finite))
    assert len(sparkline(values, width)) == (count if count > 1 else 0)


def test_a_curve_begins_and_ends_as_its_values_do():
    assert sparkline(list(range(100)), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([3.0, math.nan, 1.0], 8) == "█▁"
    assert sparkline([2.0] * 5, 8) == "▁▁▁▁▁"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (950, "950"), (999.7, "1.00 k"), (12_940, "12.9 k"), (12_900_000, "12.9 M"), (1.2e9, "1.2 G")],
)
def test_counts_have_three_digits(count, text):
    assert compact(count) == text


def test_a_pipe_gets_lines_alone():
    out = io.StringIO()
    with ProgressDisplay(Console(file=out), total=10) as display:
        display.move(5, "5/10", ["half"], [])
        assert not display.redrawn
        assert out.getvalue() == ""
        display.line("half of it")
    assert out.getvalue() == "half of it\n"


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    out = io.StringIO()
    with ProgressDisplay(Console(file=out, force_terminal=True, width=20, height=5), total=10) as display:
        display.move(5, "5/10", ["half"], [])
        assert not display.redrawn
        display.line("half of a line that is wrapped")
    assert out.getvalue() == "half of a line that\n  is wrapped\n"


def test_a_pipe_is_no_terminal_even_where_colours_are_forced(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout", out := io.StringIO())
    with ProgressDisplay(standard_console(), total=2) as display:
        display.move(1, "", ["a part"], [])
        display.line("a line")
    assert out.getvalue() == "a line\n"
