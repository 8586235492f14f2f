"""Reads command-line arguments into a dataclass, and holds what several commands share. Does not import JAX."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from nograd.cli.usage import usage
from nograd.config.merge import suggestion
from nograd.config.recipes import base_config
from nograd.config.settings import TrainConfig
from nograd.config.values import Setting, ranged, read, settings_of, short_repr
from nograd.core.runtime import keep_programs, use_one_thread
from nograd.core.types import ConfigError

T = TypeVar("T")

PAGE = 140  # width of tables that are written to a file or a pipe


def parse(kind: type[T], arguments: Sequence[str], prog: str, default: T | None = None) -> T:
    """Reads flags into a dataclass; fields that are not given are those of `default`, else the fields' own defaults.

    Args:
        kind: the dataclass; each field is a flag, or a positional argument.
        arguments: the words after the command.
        prog: the command, for messages.
        default: values of fields that are not given.

    Raises:
        ConfigError: a flag is unknown or missing, or has a wrong value.
    """
    given = parse_given(kind, arguments, prog)
    for setting in settings_of(kind):
        if default is None and setting.required and setting.name not in given:
            raise ConfigError(f"{setting.flag} is missing; see {prog} --help")
    return kind(**given) if default is None else replace(default, **given)  # type: ignore[type-var]


def parse_given(kind: type, arguments: Sequence[str], prog: str) -> dict[str, Any]:
    """The values of the flags that were given, by the names of their fields; --help prints the help and exits."""
    if {"-h", "--help"} & set(arguments):
        print(usage(kind, prog))
        raise SystemExit(0)
    given: dict[str, Any] = {}
    rest, words = list(arguments), []
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        setting, value = _flag(kind, word, prog)
        if value is None:
            value = _taken(setting, rest, prog)
        given[setting.name] = _read(setting, value)
    return given | _positionals(kind, words, prog)


def _flag(kind: type, word: str, prog: str) -> tuple[Setting, Any]:
    """The setting that a flag names, and its value if the flag contains it.

    That is so for --flag=value, and for the --flag or --no-flag of a boolean; else the value is None.
    """
    name, equals, text = word.partition("=")
    known = _flags(kind)
    wanted = name[:2] + name[2:].replace("_", "-")
    if wanted not in known:
        fields = {one.name: one for one in settings_of(kind) if not one.form.positional}
        alone = f"; it is one of nograd train alone, see {prog} --help" if wanted in _flags(TrainConfig) else ""
        hint = alone or suggestion(name.lstrip("-"), fields, "--") or f"; see {prog} --help"
        raise ConfigError(f"unknown flag {short_repr(name)}{hint}")
    setting, value = known[wanted]
    if value is None:
        return setting, text if equals else None
    if equals:
        raise ConfigError(f"{name} takes no value, got {short_repr(text)}; write {setting.flag} or {_negated(setting)}")
    return setting, value


def _flags(kind: type) -> Mapping[str, tuple[Setting, bool | None]]:
    """Every flag with its setting, and with its value if it is the flag of a boolean (else None)."""
    found: dict[str, tuple[Setting, bool | None]] = {}
    for setting in settings_of(kind):
        if bool in setting.form.types:
            found |= {setting.flag: (setting, True), _negated(setting): (setting, False)}
            found |= {setting.metadata["short"]: (setting, True)} if "short" in setting.metadata else {}
        elif not setting.form.positional:
            found[setting.flag] = setting, None
            if short := setting.metadata.get("short"):
                found[short] = setting, None
    return found


def _negated(setting: Setting) -> str:
    return f"--no-{setting.name.replace('_', '-')}"


def _taken(setting: Setting, rest: list[str], prog: str) -> Any:
    """Takes the value of a flag from the arguments after it; for a list, all arguments up to the next flag."""
    taken: list[str] = []
    while rest and not _is_flag(rest[0]) and (setting.form.many or not taken):
        taken.append(rest.pop(0))
    if not taken:
        raise ConfigError(f"{setting.flag} needs a value; see {prog} --help")
    return taken if setting.form.many else taken[0]


def _is_flag(word: str) -> bool:
    """Whether an argument is a flag; a negative number is not."""
    return word.startswith("--") or (word.startswith("-") and word[1:2].isalpha() and not _is_number(word))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read(setting: Setting, value: Any) -> Any:
    """The value of a setting, from its text on the command line."""
    if value is True or value is False:
        return value
    words = value if isinstance(value, list) else [value]
    values = [ranged(setting, read(setting.form, word, setting.flag)) for word in words]
    return tuple(values) if setting.form.many else values[0]


def _positionals(kind: type, words: list[str], prog: str) -> dict[str, Any]:
    """The values of the arguments without a flag, by the names of their fields, in the order of the fields."""
    given: dict[str, Any] = {}
    for setting in settings_of(kind):
        if setting.form.positional and words:
            taken = words if setting.form.many else words[0]
            given[setting.name] = _read(setting, taken)
            words = [] if setting.form.many else words[1:]
    if words:
        raise ConfigError(f"{short_repr(words[0])} is one argument too many; see {prog} --help")
    return given


def with_task(given: TrainConfig) -> tuple[TrainConfig, str]:
    """The config with a task, and a line of text that says which task was chosen and why."""
    task = given.task or (base_config(given).task if given.preset or given.config else None)
    if task is not None:
        return replace(given, task=task), f"task: {task}"
    from nograd.data import find_mnist, mirror_answers

    if (found := find_mnist(given.data_dir)) is not None:
        return replace(given, task="mnist"), f"task: mnist (no TASK given; the data lie in {found})"
    if given.data_dir is None and mirror_answers(timeout=5.0):
        return replace(given, task="mnist"), "task: mnist (no TASK given; a mirror answers, so it is downloaded)"
    why = "MNIST is not on disk and no mirror answered within 5 s, so the embedded digits"
    return replace(given, task="digits"), f"task: digits (no TASK given; {why})"


def prepare_jax() -> None:
    """Sets what JAX reads when it starts: one thread on a CPU, and a folder for compiled programs.

    A second XLA thread would not be faster here, and would change the order in which floats are summed.
    """
    use_one_thread()
    keep_programs()
