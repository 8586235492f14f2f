"""Completion in a shell offers the commands, the flags of the command, and the words of a flag."""

import shutil
import subprocess
from importlib import import_module

import pytest

from nograd.cli.commands import COMMANDS
from nograd.cli.completion import flags
from nograd.cli.main import main
from nograd.config.axes import STRATEGIES


@pytest.fixture
def script(capsys):
    def printed(shell):
        with pytest.raises(SystemExit) as ended:
            main(["completion", shell])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return printed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_function_and_flags_of_its_own(name):
    assert callable(getattr(import_module(f"nograd.cli.{COMMANDS[name].module}"), name))
    assert all(flag.name.startswith("--") and flag.text for flag in flags(COMMANDS[name].settings))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["nograd", ""], set(COMMANDS)),
        (["nograd", "pre"], {"predict", "presets"}),
        (["nograd", "train", "--strat"], {"--strategy"}),
        (["nograd", "train", "--strategy", ""], set(STRATEGIES.words)),
        (["nograd", "train", "iris", "--lr-s"], {"--lr-schedule", "--lr-sigma"}),
        (["nograd", "search", "--densif"], set()),
        (["nograd", "report", "ru"], {"runs"}),  # a folder
        (["nograd", "none", "--x"], set()),
    ],
)
def test_bash_completes(script, tmp_path, words, wanted):
    (tmp_path / "runs").mkdir()
    (tmp_path / "nograd.bash").write_text(script("bash"))
    given = " ".join(f'"{word}"' for word in words)
    line = (
        f"source ./nograd.bash; COMP_WORDS=({given}); COMP_CWORD={len(words) - 1}; "
        '_nograd; for word in "${COMPREPLY[@]}"; do echo "$word"; done'
    )
    found = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert found.stderr == ""
    offered = set(found.stdout.split())
    assert offered - {"runs", "nograd.bash"} == wanted - {"runs"}
    assert "runs" not in wanted or "runs" in offered


def test_fish_and_zsh_have_scripts_of_the_same_flags(script):
    fish, zsh = script("fish"), script("zsh")
    assert "-l strategy" in fish
    assert all(command in zsh for command in COMMANDS)


def test_another_shell_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
    assert "choose one of bash, zsh, fish" in capsys.readouterr().err
