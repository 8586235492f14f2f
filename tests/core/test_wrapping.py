"""What is printed on a terminal fits it, is divided between words, and can be copied; a pipe gets it as it is."""

import io
import shlex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from nograd.core.grid import Grid, show
from nograd.core.wrapping import fitted, folded, say, say_command

# On a busy machine an example may take long, which is no fault of what is tested.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORD = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=14)
COLUMNS = st.integers(20, 200)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@UNHURRIED
@given(st.lists(WORD, min_size=1, max_size=40), COLUMNS, st.integers(0, 4))
def test_lines_fit_and_words_stay_whole(words, columns, indent):
    shown = fitted(" " * indent + " ".join(words), columns)
    assert shown.split() == words
    assert all(len(line) <= columns for line in shown.split("\n"))


def test_a_line_that_fits_is_left_alone():
    assert fitted("a  b\n  c", 20) == "a  b\n  c"
    assert fitted("  one two three four five", 12) == "  one two\n    three\n    four\n    five"


def test_a_path_is_not_divided():
    path = "/a/path/that/is/longer/than/the/terminal-is-wide"
    assert fitted(f"run: {path}", 20).split() == ["run:", path]


@UNHURRIED
@given(st.lists(st.text(min_size=1, max_size=18), min_size=1, max_size=12), COLUMNS)
def test_a_folded_command_is_the_same_command(words, columns):
    command = shlex.join(words)
    shown = folded(command, columns)
    assert shlex.split(shown.replace("\\\n", "")) == words
    if "\n" not in command:  # else a line of the command's own
        longest = max(map(len, map(shlex.quote, words)))
        assert all(len(line) <= max(columns, longest + 6) for line in shown.split("\n"))


def test_a_pipe_gets_the_text_as_it_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = "one line that is longer than twenty columns"
    pipe, terminal = io.StringIO(), Terminal()
    say(text, pipe)
    say_command("go on with:", "nograd train --resume runs/a", pipe)
    assert pipe.getvalue() == f"{text}\ngo on with: nograd train --resume runs/a\n"
    say(text, terminal)
    say_command("go on with:", "nograd train --resume runs/a", terminal)
    lines = terminal.getvalue().splitlines()
    assert lines[-4:] == ["go on with:", "  nograd train \\", "    --resume \\", "    runs/a"]
    assert all(len(line) <= 20 for line in lines)


GRID = Grid(
    "The best trials, of which there are some",
    ["trial", "a name of several words", "settings"],
    [["0", "12.34 [11.1, 13.3] ms", "sigma=0.1 lr=0.02 optimizer=adam"], ["1", "", "sigma=0.3"]],
    prose=("settings",),
)


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 200])
def test_a_table_fits_and_loses_nothing(width):
    out = io.StringIO()
    show([GRID, "and a sentence after it"], Console(file=out, width=width, force_terminal=True, color_system=None))
    lines = out.getvalue().splitlines()
    longest = max(len(word) for row in GRID.rows for cell in row for word in cell.split())
    assert all(len(line.rstrip()) <= max(width, longest + 8) for line in lines)
    text = out.getvalue().replace("│", " ").split()
    for row in GRID.rows:
        assert all(word in text for cell in row for word in cell.split())
    assert "…" not in out.getvalue()
