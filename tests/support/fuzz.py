"""Settings at random, most of them wrong: as a command line, as TOML, as keywords. A case follows from its number.

What is right is tiny, so that a case that trains takes a second; what would start a cluster, a browser or a download is
left out.
"""

import contextlib
import io
import pathlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nograd as ng
from nograd.cli.main import main
from nograd.config.settings import all_settings

TINY = {
    "perturbation": "dense",
    "model": "mlp:2",
    "population": 4,
    "batch": 8,
    "generations": 1,
    "eval_every": 1,
    "workers": "1",
    "chunks": 1,
}
NOT_MUTATED = {"open", "wandb", "tensorboard"}  # would open a browser, or write where it likes
# No case has a large number that can be: it would train for hours. What lies beyond 32 bits cannot be.
TEXTS = (
    "", " ", "0", "-1", "1", "2", "3", "1.5", "-0.0", "0.5", "1e400", "nan", "inf", "-inf", "NaN", "1e-400", "1e3",
    "99999999999", "9" * 5000, "1_0", "٣", "0x10", "None", "none", "null", "true", "True", "no", "x", "Ä", "a b",
    "(x)",
    "(a Python object)", "()", "a\nb", "a\0b", "\ud800", "..", "../x", "/dev/null", "/proc/self/x", "x" * 300,
    "x/" * 3000, "{", "[]",
    '{"a": 1}', "[1, 2]", "auto", "dense", "lowrank", "node", "Dense", "snes", "pgpe", "ars", "sgd",
    "gaussian", "table", "private", "raw", "contiguous", "cosine", "accuracy", "mlp", "mlp:", "mlp:0", "mlp:-1",
    "mlp:a",
    "mlp:3,,4", "mlp:99999999999", "linear2", "linear", "atari", "cnn:3", "cnn", "oriented:1", "mlp-int8:2",
    "mlp-spiking:2", "mlp-staircase:2", "moe-hard:2,3", "moe-hard:2,3,4", "attention-argmax:3", "gru:4", "lstm:3,2",
    "gru:0",
    "os:path", "os:getpid", "json:dumps", "nowhere:f", ":", "a:", ":f", "./x.py:f", "Nope-v1", "brax/nope", "no.csv",
    "no.npz", "x.txt", "digits", "Digits", "90s", "1h", "0s", "-5m", "1e9h", "adaptive", "process", "inline", "threads",
)  # fmt: skip
TOMLS = (
    "1", "0", "-1", "1.5", "nan", "inf", "-inf", "true", "false", '"x"', '""', "'none'", "[1, 2]", "[]", "{ a = 1 }",
    "1979-05-27", "07:32:00", "0xff", "1_0", "9223372036854775808", "1e400", "9" * 5000, "[" * 3000, '"', "'''", "",
    "= 1",
    '"\\u0000"', '"\\ud800"', '"private"', '"snes"', '"node"', '"mlp:2"', '"auto"', "2", '"2"',
)  # fmt: skip


class Word(str):
    """A text of a subclass."""


OBJECTS: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: False, lambda: 0, lambda: -1, lambda: 2, lambda: 1.5, lambda: float("nan"),
    lambda: float("inf"), lambda: 10**30, lambda: 10**400, lambda: 3j, lambda: np.int64(2), lambda: np.float32(0.5),
    lambda: np.bool_(True), lambda: np.str_("dense"), lambda: np.ones(3), lambda: np.array(2),
    lambda: np.float64("nan"),
    lambda: [1], lambda: (), lambda: {}, lambda: {"a": 1}, object, lambda: b"digits", lambda: bytearray(b"x"),
    lambda: pathlib.PurePosixPath("here"), lambda: Word("raw"), lambda: len, lambda: int, lambda: range(3),
    lambda: "a\nb", lambda: "no", lambda: "exp", lambda: "Private", lambda: ..., lambda: NotImplemented,
)  # fmt: skip
JUNK = (
    "",
    "-",
    "--",
    "---",
    "-x",
    "--x",
    "--=",
    "--lr=",
    "--lr=x",
    "--no-lr",
    "--mirrored=no",
    "--learning-rate",
    "more",
)
NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "3",
    "8",
    "0.5",
    "0.01",
    "-0.5",
    "1.5",
    "1e-3",
    "1e-42",
    "1e39",
    "99999999999",
    "nan",
    "inf",
)
_SUITED = 0.35  # of the values are of the setting's own kind, so that they come further


def suited(random_: random.Random, name: str) -> str:
    """A value as a text that a setting may well have, or nearly."""
    form = all_settings()[name].form
    if form.choices:
        word = random_.choice(form.choices)
        return random_.choice((word, word, word.upper(), f" {word}", word[:-1]))
    if bool in form.types:
        return random_.choice(("true", "false", "True"))
    return random_.choice(NUMBERS if {int, float} & set(form.types) else TEXTS)


class Outcome:
    """How a case ended: its exit code, what it said on stderr, and what the folder holds that it did not before."""

    def __init__(self, code: Any, said: str, written: list[str]) -> None:
        self.code, self.said, self.written = code, said, written

    @property
    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if self.code == 0:
            return ""
        if self.code != 2:
            return f"exit code {self.code}"
        if self.said.count("\n") != 1 or not self.said.startswith("nograd: ") or "unexpected" in self.said:
            return "not one line that nograd means"
        return f"nothing was trained, and {self.written} written" if self.written else ""


def command_line(number: int) -> list[str]:
    """The arguments of case `number`."""
    random_ = random.Random(f"command {number}")
    flags = dict(TINY) | {"out": "run"}
    words = [] if random_.random() < 0.03 else ["digits"]
    for _ in range(random_.choice((1, 1, 2, 3))):
        name = random_.choice(sorted({*all_settings()} - NOT_MUTATED))
        if name == "task":
            words = [random_.choice(TEXTS)]
        else:
            flags[name] = suited(random_, name) if random_.random() < _SUITED else random_.choice(TEXTS)
    arguments = [word for name, value in flags.items() for word in _as_flag(random_, name, str(value))]
    arguments = [*words, *arguments]
    if random_.random() < 0.2:
        arguments.insert(random_.randrange(len(arguments) + 1), random_.choice(JUNK))
    if random_.random() < 0.05:
        del arguments[random_.randrange(len(arguments))]
    return ["train", *arguments]


def other_command(number: int) -> list[str]:
    """The arguments of a command that reads what has been written, where nothing has."""
    random_ = random.Random(f"other {number}")
    flags = (
        "--json",
        "--split",
        "--episodes",
        "--video",
        "--out",
        "-o",
        "--probabilities",
        "--watch",
        "--trials",
        *JUNK,
    )
    words = [random_.choice((*TEXTS, *flags)) for _ in range(random_.randrange(5))]
    return [random_.choice(("evaluate", "predict", "report", "evaluate", "trian", "", "-x")), *words]


def recipe(number: int) -> bytes:
    """The TOML file of case `number`."""
    random_ = random.Random(f"recipe {number}")
    lines = {name: f'"{value}"' if isinstance(value, str) else str(value) for name, value in TINY.items()}
    lines["task"] = '"digits"'
    for _ in range(random_.choice((1, 1, 2))):
        names = [
            *sorted({*all_settings()} - NOT_MUTATED),
            "about",
            "search",
            "Sigma",
            "sigma.x",
            "x y",
            "[search]",
            "épée",
        ]
        name = random_.choice(names)
        lines[name] = random_.choice(TOMLS)
        if name in all_settings() and random_.random() < _SUITED:
            value = suited(random_, name)
            lines[name] = value if {int, float, bool} & set(all_settings()[name].form.types) else repr(value)
    items = list(lines.items())
    random_.shuffle(items)
    text = "".join(f"{name} = {value}\n" for name, value in items)
    encoded = text.encode("utf-8-sig" if random_.random() < 0.3 else "utf-8", "replace")
    if random_.random() < 0.1:
        place = random_.randrange(len(encoded))
        encoded = encoded[:place] + random_.choice((b"\xff", b"\0", b"\xe9", b"]")) + encoded[place:]
    return encoded


def keywords(number: int) -> dict[str, Any]:
    """The keywords of `nograd.train` of case `number`."""
    random_ = random.Random(f"keywords {number}")
    given = {"task": "digits", "out": "run"} | TINY
    for _ in range(random_.choice((1, 1, 2))):
        name = random_.choice([*sorted({*all_settings()} - NOT_MUTATED), "sigm", "epochs"])
        given[name] = random_.choice(OBJECTS)()
        if name in all_settings() and random_.random() < _SUITED:
            given[name] = _typed(name, suited(random_, name))
    return given


def _typed(name: str, text: str) -> Any:
    """The value that a text stands for, where it stands for one."""
    for kind in all_settings()[name].form.types:
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def run_command_line(number: int) -> Outcome:
    return _command(command_line(number))


def run_other_command(number: int) -> Outcome:
    return _command(other_command(number))


def run_recipe(number: int) -> Outcome:
    Path("own.toml").write_bytes(recipe(number))
    return _command(["train", "--config", "own.toml", "--out", "run"])


def run_keywords(number: int) -> Outcome:
    before = _listing()
    try:
        ng.train(**keywords(number))
    except ng.NogradError as error:
        return Outcome(2, f"nograd: {error}\n", _new(before))
    return Outcome(0, "", [])


def _command(arguments: list[str]) -> Outcome:
    before, said = _listing(), io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            main(arguments)
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
    return Outcome(code, said.getvalue(), _new(before))


def _listing() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def _new(before: set[str]) -> list[str]:
    return sorted(_listing() - before)


def _as_flag(random_: random.Random, name: str, value: str) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if bool in all_settings()[name].form.types and random_.random() < 0.5:
        return [random_.choice((flag, f"--no-{flag[2:]}"))]
    return [f"{flag}={value}"] if random_.random() < 0.3 else [flag, value]
