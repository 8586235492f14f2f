"""The command line as a user meets it: what it prints, its exit codes, one line for each mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nograd import __version__
from nograd.cli.commands import COMMANDS
from nograd.cli.main import main

QUICK = ["--model", "mlp:4", "--population", "8", "--batch", "16", "--generations", "3", "--eval-every", "2"]


@pytest.fixture
def nograd(capsys, tmp_path, monkeypatch, quick_runs):
    """Runs a command in an empty folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def one_line(nograd):
    """Runs a command that must fail with exit code 2 and one line on stderr; returns that line."""

    def run(*arguments):
        code, _, error = nograd(*arguments)
        assert code == 2
        assert error.startswith("nograd: ")
        assert error.count("\n") == 1
        assert "Traceback" not in error
        return error

    return run


def process(*arguments, **options):
    """`nograd` in a process of its own."""
    command = [sys.executable, "-m", "nograd", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(command, **options)


# What works ----------------------------------------------------------------------------------------------


def test_help_lists_the_commands(nograd):
    code, out, _ = nograd("--help")
    assert code == 0
    assert all(f"nograd {name}" in out for name in ("train", "evaluate", "predict", "presets"))
    assert nograd()[1] == out


def test_version(nograd):
    assert nograd("--version")[1] == f"nograd {__version__}\n"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_help_fits_the_terminal(nograd, monkeypatch, columns):
    """Only a word that is longer than the line, such as an address, is wider."""
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in (["--help"], ["presets"], *([name, "--help"] for name in COMMANDS)):
        for line in nograd(*command)[1].splitlines():
            assert len(line) <= columns or len(line.split()) == 1, line


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "presets"])
def test_every_command_has_help(nograd, command):
    code, out, _ = nograd(command, "--help")
    assert code == 0
    assert f"usage: nograd {command}" in out


def test_every_setting_is_a_flag(nograd):
    from nograd.config.settings import TrainConfig
    from nograd.config.values import settings_of

    out = nograd("train", "--help")[1]
    for setting in settings_of(TrainConfig):
        assert setting.name == "task" or f"{setting.flag} " in out or f"{setting.flag}," in out


def test_train_evaluate_predict(nograd, tmp_path):
    code, out, _ = nograd("train", "digits", *QUICK, "--out", "run")
    assert code == 0
    assert out.splitlines()[0] == "task: digits"
    assert re.search(r"generation 2/3 .*val accuracy .*best .*evaluations/s .*left", out)
    result = json.loads(Path("run/result.json").read_text())
    assert f"test accuracy {result['test_accuracy']:.2%}" in out

    resume = next(line for line in out.splitlines() if "--resume" in line)
    assert nograd(*resume.split()[1:])[0] == 0  # what it says comes next can be run as it is
    assert len(Path("run/metrics.jsonl").read_text().splitlines()) == 6

    code, out, _ = nograd("evaluate", "run", "--json")
    figures, result = json.loads(out), json.loads(Path("run/result.json").read_text())
    assert figures["accuracy"] == result["test_accuracy"]
    assert figures["interval"][0] < figures["accuracy"] < figures["interval"][1]
    assert "95% interval" in nograd("evaluate", "run")[1]
    assert json.loads(nograd("evaluate", "run", "--split", "val", "--json")[1])["accuracy"] == result["val_accuracy"]

    x = np.random.default_rng(0).integers(0, 17, (5, 8, 8)).astype("u1")
    np.savez("new.npz", x=x)
    rows = nograd("predict", "run", "new.npz", "--probabilities")[1].splitlines()
    assert rows[0] == "class," + ",".join(f"p{label}" for label in range(10))
    table = np.array([row.split(",") for row in rows[1:]], float)
    np.testing.assert_allclose(table[:, 1:].sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(table[:, 0], table[:, 1:].argmax(1))
    code, out, _ = nograd("predict", "run", "new.npz", "--out", "classes.csv")
    assert Path("classes.csv").read_text().splitlines() == ["class", *(row.split(",")[0] for row in rows[1:])]


@pytest.mark.slow
def test_a_strategy_brings_its_own_defaults(nograd):
    code, out, _ = nograd("train", "digits", *QUICK, "--strategy", "snes", "--out", "run")
    assert code == 0
    assert "; snes, dense perturbation" in out
    saved = json.loads(Path("run/config.json").read_text())["settings"]
    assert (saved["strategy"], saved["noise"], saved["lr"], saved["task"]) == ("snes", "gaussian", 1.0, "digits")
    assert nograd("train", "--resume", "run", "--generations", "5")[0] == 0


def test_csv_from_training_to_prediction(nograd):
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    rows = np.column_stack([100 * rng.normal(size=300) + 1000 * y, rng.normal(size=300), y])
    np.savetxt("data.csv", rows, delimiter=",", header="height,weight,sick", comments="", fmt=["%f", "%f", "%d"])
    flags = [*QUICK, "--generations", "150", "--lr", "0.1"]
    assert nograd("train", "data.csv", "--label", "sick", *flags, "--out", "run")[0] == 0
    assert json.loads(Path("run/result.json").read_text())["test_accuracy"] > 0.9
    Path("new.csv").write_text("weight,name,height\n0.1,7,1100\n0.1,7,-100\n")  # other order, one column more
    assert nograd("predict", "run", "new.csv")[1].split() == ["class", "1", "0"]


def test_presets_name_source_and_figure(nograd):
    out = nograd("presets")[1]
    assert out.count("source:") == out.count("measured:") >= 3
    assert "69.56%" in out


def test_a_recipe_file_and_a_flag_over_it(nograd):
    Path("own.toml").write_text('task = "digits"\nmodel = "mlp:4"\npopulation = 8\nbatch = 20\ngenerations = 2\n')
    assert nograd("train", "--config", "own.toml", "--batch", "16", "--out", "run")[0] == 0
    saved = json.loads(Path("run/config.json").read_text())["settings"]
    assert (saved["population"], saved["batch"], saved["task"]) == (8, 16, "digits")


def test_a_model_and_a_fitness_of_the_users_own(nograd):
    Path("mine.py").write_text(
        "import jax, jax.numpy as jnp, nograd as ng\n"
        "def make_model():\n"
        "    return ng.mlp(4, activation=jnp.sign)\n"
        "def plain():\n"
        "    return ng.Model(lambda key: {'w': jnp.zeros((64, 10))}, lambda p, x: x.reshape(len(x), -1) @ p['w'])\n"
        "def margin(outputs, labels):\n"
        "    return jnp.take_along_axis(outputs, labels[:, None], 1)[:, 0] - outputs.max(-1)\n"
    )
    flags = ["--population", "8", "--batch", "16", "--generations", "2", "--fitness", "mine:margin"]
    assert nograd("train", "digits", "--model", "mine:make_model", *flags, "--out", "a")[0] == 0
    assert nograd("train", "digits", "--model", "mine:plain", *flags, "--out", "b")[0] == 0
    assert nograd("evaluate", "b")[0] == 0  # the run directory says which model it was


def test_without_a_task_the_first_line_says_which_and_why(nograd, tmp_path, monkeypatch):
    monkeypatch.delenv("NOGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NOGRAD_MIRRORS", "http://127.0.0.1:9/")  # nobody answers there
    start = time.monotonic()
    code, out, _ = nograd("train", *QUICK, "--out", "run")
    assert code == 0
    assert out.splitlines()[0].startswith("task: digits (no TASK given; MNIST is not on disk")
    assert time.monotonic() - start < 60


@pytest.mark.slow
def test_without_a_task_mnist_on_disk_is_taken(nograd, mnist_dir, monkeypatch):
    monkeypatch.setenv("NOGRAD_DATA", str(mnist_dir))
    code, out, _ = nograd("train", *QUICK, "--perturbation", "dense", "--out", "run")
    assert code == 0
    assert out.splitlines()[0].startswith("task: mnist (no TASK given; the data lie in")
    assert (
        json.loads(Path("run/config.json").read_text())["data"] | {"train": 55000, "val": 5000, "test": 10000}
        == (json.loads(Path("run/config.json").read_text())["data"])
    )


# What does not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["'trian'", "did you mean train"]),
        (["train", "digits", "--sigm", "1"], ["--sigm", "did you mean --sigma"]),
        (["train", "digits", "--sigma", "x"], ["--sigma", "'x'"]),
        (["train", "digits", "--noise", "pink"], ["'pink'", "gaussian"]),
        (["train", "digits", "more"], ["'more'", "too many"]),
        (["train", "digits", "--sigma"], ["--sigma"]),
        (["train", "digitz"], ["'digitz'", "digits"]),
        (["train", "nowhere.csv"], ["nowhere.csv", "not found"]),
        (["train", "digits", "--model", "rnn"], ["'rnn'", "mlp:128"]),
        (["train", "digits", "--model", "nowhere:f"], ["nowhere"]),
        (["train", "digits", "--fitness", "nope"], ["'nope'", "cross_entropy"]),
        (["train", "digits", "--population", "51"], ["51", "use 52 or --no-mirrored"]),
        (["train", "digits", "--batch", "5000"], ["5,000", "1,297", "use batch 1297"]),
        (["train", "digits", "--budget", "soon"], ["soon", "10m"]),
        (["train", "digits", "--strategy", "nes"], ["'nes'", "snes"]),
        (["train", "digits", "--strategy", "snes", "--noise", "rademacher"], ["rademacher", "gaussian or table"]),
        (["train", "digits", "--strategy", "snes", "--optimizer", "sgd"], ["--optimizer sgd", "--strategy openai-es"]),
        (["train", "digits", "--strategy", "pgpe", "--perturbation", "node"], ["--perturbation node", "pgpe"]),
        (["train", "digits", "--strategy", "sep-cma-es", "--mirrored"], ["mirrored", "sep-cma-es"]),
        (["train", "digits", "--strategy", "ars", "--no-mirrored"], ["mirrored", "ars"]),
        (["train", "digits", "--strategy", "ars", "--top", "129"], ["129", "1 to 128"]),
        (["train", "digits", "--strategy", "snes", "--lr-sigma", "0"], ["--lr-sigma", "0.0"]),
        (["train", "digits", "--top", "8"], ["--top 8", "ars", "--strategy ars"]),
        (["train", "digits", "--preset", "blogg"], ["did you mean blog"]),
        (["train", "digits", "--config", "no.toml"], ["no.toml"]),
        (["train", "--resume", "nowhere"], ["nowhere", "not a run directory"]),
        (["evaluate", "nowhere"], ["nowhere", "not a run directory"]),
        (["predict", "nowhere", "x.npz"], ["nowhere"]),
        (["evaluate"], ["evaluate --help"]),
    ],
)
def test_a_mistake_is_one_line_with_value_and_remedy(one_line, arguments, words):
    error = one_line(*arguments)
    assert all(word in error for word in words), error


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_wrong_value_reads_the_same_in_any_terminal(encoding):
    with process("train", "--noise", "pink", env={**os.environ, "PYTHONIOENCODING": encoding}) as shown:
        expected = "nograd: --noise cannot be 'pink'; choose one of gaussian, rademacher, table, orthogonal, aligned"
        assert shown.communicate()[1].strip() == expected


def test_mnist_without_data_and_network_names_three_ways(one_line, tmp_path, monkeypatch):
    monkeypatch.delenv("NOGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NOGRAD_MIRRORS", "http://127.0.0.1:9/")
    error = one_line("train", "mnist")
    assert all(word in error for word in ("--data-dir", "NOGRAD_DATA", "network", "nograd train digits"))


def test_an_occupied_directory_is_left_alone(nograd, one_line):
    assert nograd("train", "digits", *QUICK, "--out", "run")[0] == 0
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert "nograd train --resume run" in one_line("train", "digits", *QUICK, "--out", "run")
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}


def test_a_file_in_the_way_of_the_directory(one_line):
    Path("run").write_text("")
    assert "choose another --out" in one_line("train", "digits", *QUICK, "--out", "run/inside")


def test_a_full_disk_is_one_line_and_the_last_checkpoint_stands(nograd, one_line, monkeypatch):
    flags = [*QUICK, "--generations", "40", "--checkpoint-every", "10", "--out", "run"]
    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 6:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in one_line("train", "digits", *flags)
    monkeypatch.setattr(os, "fsync", fsync)
    assert not list(Path("run").rglob("*.tmp"))
    assert nograd("train", "--resume", "run")[0] == 0
    assert json.loads(Path("run/result.json").read_text())["generations"] == 40


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root may write to")
def test_a_read_only_directory_is_one_line(one_line):
    error = one_line("train", "digits", *QUICK, "--out", "/proc/self/run")
    assert "/proc/self/run" in error
    assert "choose another --out" in error


def test_divergence_is_said_and_is_a_failure(nograd):
    Path("bad.py").write_text("import jax.numpy as jnp\ndef nan(outputs, labels): return outputs[:, 0] * jnp.nan\n")
    code, out, error = nograd("train", "digits", *QUICK, "--fitness", "bad:nan", "--out", "run")
    assert code == 1
    assert "stopped: no fitness was finite (nonfinite_fitness)" in out
    assert error.count("\n") == 1
    assert "run" in error


def test_debug_shows_the_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="not a run directory"):
        main(["evaluate", "nowhere", "--debug"])


# Signals, pipes, terminals -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_checkpoints_and_says_how_to_go_on(tmp_path, number):
    training = process("train", "digits", *QUICK, "--generations", "1000000", "--out", tmp_path / "run")
    for line in training.stdout:
        if line.startswith("generation"):
            break
    training.send_signal(number)
    out, error = training.communicate(timeout=60)
    assert training.returncode == 130, error
    assert f"nograd train --resume {tmp_path / 'run'}" in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["stop_reason"] == "interrupted"
    newest = max((tmp_path / "run" / "checkpoints").glob("generation-*"))
    assert newest.name == f"generation-{result['generations']:08d}.safetensors"


def test_a_closed_pipe_ends_quietly(tmp_path):
    with process("presets") as shown:
        shown.stdout.close()
        assert shown.stderr.read() == ""
        assert shown.wait(timeout=60) == 0


@pytest.mark.slow
def test_a_terminal_gets_a_live_bar(tmp_path):
    import pty

    leader, follower = pty.openpty()
    training = process(
        "train", "digits", *QUICK, "--out", tmp_path / "run",
        stdout=follower, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while True:
        try:
            seen += os.read(leader, 4096)
        except OSError:  # the other side is closed
            break
    assert training.communicate(timeout=60)[1] == ""
    assert training.returncode == 0
    os.close(leader)
    assert b"\x1b[" in seen  # cursor movements of the bar
    assert b"/s" in seen
    assert b"best" in seen
