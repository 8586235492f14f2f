"""`nograd completion`: prints a script that completes commands, flags and their values in bash, zsh or fish."""

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from importlib import import_module
from typing import Literal, NamedTuple

from nograd.cli.commands import COMMANDS
from nograd.cli.flags import parse
from nograd.cli.usage import documents
from nograd.config.fields import Positional, setting
from nograd.config.values import Setting, settings_of

Shell = Literal["bash", "zsh", "fish"]


@dataclass(frozen=True)
class CompletionConfig:
    """Print a script that completes nograd's commands, flags and words.

    For one session: eval "$(nograd completion bash)", in fish: nograd completion fish | source. For all of them: write
    the script to ~/.local/share/bash-completion/completions/nograd or ~/.config/fish/completions/nograd.fish, or add
    the line with eval to ~/.zshrc.
    """

    shell: Positional[Shell] = setting(MISSING)
    """bash, zsh or fish."""


class Flag(NamedTuple):
    """A flag of a command, with what a shell needs to complete it."""

    name: str  # "--strategy"
    words: tuple[str, ...]  # the possible values; () if any value is allowed
    text: str  # the help of the flag


def completion(arguments: list[str], started: float) -> int:
    """Runs `nograd completion`."""
    shell = parse(CompletionConfig, arguments, "nograd completion").shell
    found = {name: flags(command.settings) for name, command in COMMANDS.items()}
    print(_fish(found) if shell == "fish" else _bash(found, zsh=shell == "zsh"))
    return 0


def flags(where: str) -> list[Flag]:
    """The flags of a command, read from the dataclass that `where` names as "module:Class"."""
    module, _, name = where.partition(":")
    kind = getattr(import_module(module), name)
    texts = documents(kind)
    named = [setting for setting in settings_of(kind) if not setting.form.positional]
    return [Flag(one.flag, _words(one), texts.get(one.name, "")) for one in named]


def _words(one: Setting) -> tuple[str, ...]:
    axis = one.metadata.get("axis")
    return tuple(axis.words) if axis else one.form.choices


def _bash(found: Mapping[str, list[Flag]], zsh: bool) -> str:
    cases = []
    for command, its_flags in found.items():
        cases += [f"    {command}:{flag.name}) words={_joined(flag.words)} ;;" for flag in its_flags if flag.words]
        cases.append(f"    {command}:*) words={_joined([*(flag.name for flag in its_flags), '--help'])} ;;")
    first = "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" if zsh else ""
    return f"""{first}_nograd() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words={_joined(found)}
  else
    case "${{COMP_WORDS[1]}}:$before" in
{chr(10).join(cases)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [ "$COMP_CWORD" -gt 1 ] && [ "${{word#-}}" = "$word" ]; then
    COMPREPLY+=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _nograd nograd"""


def _fish(found: Mapping[str, list[Flag]]) -> str:
    lines = []
    for command, its_flags in found.items():
        text = shlex.quote(COMMANDS[command].text)
        lines.append(f"complete -c nograd -n __fish_use_subcommand -a {command} -d {text}")
        for flag in its_flags:
            words = f" -xa {_joined(flag.words)}" if flag.words else ""
            about = shlex.quote(flag.text.partition(". ")[0])
            seen = f"'__fish_seen_subcommand_from {command}'"
            lines.append(f"complete -c nograd -n {seen} -l {flag.name[2:]}{words} -d {about}")
    return "\n".join(lines)


def _joined(words: object) -> str:
    return shlex.quote(" ".join(words))  # type: ignore[arg-type]
