"""The command line. Every error is one line on stderr with exit code 2; with --debug there is a traceback."""

import sys
import time

_STARTED = time.perf_counter()  # before the slow imports, because startup_seconds includes them

from collections.abc import Sequence  # noqa: E402
from importlib import import_module  # noqa: E402

from nograd import __version__  # noqa: E402
from nograd.cli.commands import COMMANDS  # noqa: E402
from nograd.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED  # noqa: E402
from nograd.cli.usage import item_lines, page_width  # noqa: E402
from nograd.core.output import steady_output  # noqa: E402
from nograd.core.text import did_you_mean  # noqa: E402
from nograd.core.types import ConfigError, NogradError  # noqa: E402
from nograd.core.wrapping import fitted, say  # noqa: E402


def main(argv: Sequence[str] | None = None) -> None:
    """Runs `nograd` with these arguments (default: those of the process) and exits with its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    with steady_output() as (out, _):
        code = _ended(arguments, debug)
        out.flush()
        if out.lost:
            say(f"nograd: standard output could not be written: {_one_line(str(out.lost))}", sys.stderr)
            code = code or EXIT_ERROR
    sys.exit(code)


def _ended(arguments: list[str], debug: bool) -> int:
    """Runs a command and returns its exit code; prints one line on stderr if it fails."""
    try:
        return _dispatch(arguments)
    except NogradError as error:
        if debug:
            raise
        say(f"nograd: {_one_line(str(error))}", sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        say("nograd: interrupted at once; the last checkpoint stands", sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if debug:
            raise
        text = f"nograd: unexpected {type(error).__name__}: {error}; add --debug for the traceback"
        say(_one_line(text), sys.stderr)
        return EXIT_ERROR


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        say(f"nograd {__version__}")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        raise ConfigError(f"unknown command {command!r}{did_you_mean(command, COMMANDS)}")
    module = import_module(f"nograd.cli.{COMMANDS[command].module}")
    code: int = getattr(module, command)(rest, _STARTED)
    return code


def _usage() -> str:
    width = page_width()
    commands = [
        line for name, command in COMMANDS.items() for line in item_lines(f"nograd {name}", command.text, width)
    ]
    text = (
        "nograd: train neural networks without gradients, by Evolution Strategies\n\n" + "\n".join(commands) + "\n\n"
        "nograd COMMAND --help lists the flags of a command.\n"
        "Add --debug to any command to see the traceback of an error.\n\n"
        "First steps:\n  nograd train digits\n  nograd train FILE.csv --label COLUMN\n  nograd train CartPole-v1"
    )
    return fitted(text, width)


def _one_line(text: str) -> str:
    return " ".join(text.split())
