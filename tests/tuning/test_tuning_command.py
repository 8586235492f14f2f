"""`nograd search` as a user meets it: workers, budget, winner, and what happens when things are killed."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import children_of

import nograd as ng
from nograd.tuning.study.read import LOST, load_study
from nograd.tuning.study.records import Study
from nograd.tuning.study.write import counts

pytestmark = pytest.mark.slow  # minutes in all: before a release

TINY = ["--model", "mlp:4", "--eval-every", "5", "--search", "population=choice(8,16)", "batch=fixed(16)"]
QUICK = [*TINY, "--generations", "10"]
ENDLESS = [*TINY, "--generations", "1000000", "--eval-every", "1000", "--workers", "2"]


_STARTED: list[subprocess.Popen] = []


def command(*arguments, **options) -> subprocess.Popen:
    """`nograd search` in a process of its own; end it with `ended`, so that its pipes are closed."""
    words = [sys.executable, "-m", "nograd", "search", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    _STARTED.append(subprocess.Popen(words, **options))
    return _STARTED[-1]


def finished(*arguments, code=0, **options) -> str:
    """What it prints; it must end with this code."""
    return ended(command(*arguments, **options), code=code)[0]


def ended(process: subprocess.Popen, number: int | None = None, code: int = 130) -> tuple[str, str]:
    """What it printed, after a signal; it must end with this code."""
    if number is not None:
        process.send_signal(number)
    with process:
        out, error = process.communicate(timeout=300)
    assert process.returncode == code, error
    return out, error


def until(path: Path, condition, seconds: float = 120) -> Study:
    """The study, as soon as it fulfils the condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (path / "study.json").is_file() and condition(study := load_study(path)):
            return study
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {path}")


def busy(study: Study) -> bool:
    return sum(bool(trial.state == "running" and trial.curve) for trial in study.trials) >= 2


def children(process: subprocess.Popen) -> list[int]:
    """Its worker processes."""
    words = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children_of(process.pid)}
    return [child for child, line in words.items() if b"tuning.worker_main" in line]


def gone(pids: list[int]) -> bool:
    end = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    while _STARTED:  # nothing goes on after a test that failed
        with _STARTED.pop() as process:
            process.kill()


# What works ----------------------------------------------------------------------------------------------


def test_a_search_and_its_winner_bit_by_bit(folder, monkeypatch):
    flags = {"model": "mlp:4", "generations": 10, "eval_every": 5, "trials": 2, "confirm": 2, "workers": "1"}
    flags["budget"] = "1h"  # both limits at once
    space = {"population": "choice(8, 16)", "batch": "fixed(16)"}
    study = ng.search("digits", search=space, out="s", **flags)
    assert [trial.state for trial in study.trials] == ["complete"] * 2
    assert [generation for generation, _ in study.trials[0].curve] == [5, 10]
    winner = study.winner
    assert study.trials[winner.trial].value == max(trial.value for trial in study.trials)
    # Fresh seeds, and the recipe gives the first one's figures again.
    run = ng.train(config="s/best.toml", out="run")
    assert run.settings.seed == winner.seeds[0]
    assert len(set(winner.seeds)) == 2
    assert run.result["val_accuracy"] == winner.val_scores[0]
    assert run.result["test_accuracy"] == winner.test_scores[0]
    assert list(winner.test_intervals[0]) == run.evaluate("test")["interval"]
    # So does any trial's own configuration.
    best = study.trials[winner.trial]
    again = ng.train(**winner.settings, out="again")
    assert [line["val_accuracy"] for line in again.metrics if "val_accuracy" in line] == [v for _, v in best.curve]
    figures = json.loads(Path("s/statistics.json").read_text())
    assert figures["winner"]["test_scores"] == winner.test_scores
    assert figures["trials"]["complete"] == 2
    # The same call again finds all done, so that no worker is started; with more trials it goes on.
    with monkeypatch.context() as patch:
        patch.setattr("nograd.tuning.search.WorkerPool", lambda *words: pytest.fail("a worker was started"))
        assert ng.search("digits", search=space, out="s", **flags).trials == study.trials
    longer = ng.search(out="s", trials=3, confirm=1, workers="1")
    assert longer.trials[:2] == study.trials
    assert len(longer.trials) == 3
    assert sorted(path.name for path in Path("s").iterdir()) == [
        "best.toml",
        "statistics.json",
        "study.db",
        "study.json",
    ]


@pytest.mark.slow
def test_a_search_on_an_environment_goes_by_returns(folder, capsys):
    pytest.importorskip("gymnasium", reason="needs nograd[envs]")
    from nograd.cli.main import main

    space = ["population=choice(4,8)", "lr=choice(0.1,0.3)"]
    flags = ["--generations", "2", "--trials", "2", "--confirm", "2", "--workers", "1", "--space", "only", "--out", "s"]
    with pytest.raises(SystemExit) as stop:
        main(["search", "CartPole-v1", *flags, "--search", *space])
    out = capsys.readouterr().out
    assert stop.value.code == 0, out
    assert "accuracy" not in out
    study = load_study("s")
    assert (study.measure.name, study.validation) == ("return", 20)
    assert [len(trial.curve) for trial in study.trials] == [2, 2]
    winner = study.winner
    best = study.trials[winner.trial]
    assert best.value == max(trial.value for trial in study.trials) == max(value for _, value in best.curve)
    assert f"best scored {best.value:,.2f}. As 20 validation episodes decide that, expect" in " ".join(out.split())
    run = ng.train(config="s/best.toml", out="run")
    assert run.settings.seed == winner.seeds[0]
    assert (run.result["val_return"], run.result["test_return"]) == (winner.val_scores[0], winner.test_scores[0])
    assert winner.test_intervals[0][0] < winner.test_scores[0] < winner.test_intervals[0][1]
    # A trial's standard error is that of the evaluation that its value is from.
    again = ng.train(**winner.settings, out="again")
    assert [line["val_return"] for line in again.metrics] == [value for _, value in best.curve]
    at = max(again.metrics, key=lambda line: line["val_return"])
    assert best.standard_error == at["val_return_error"] > 0
    figures = json.loads(Path("s/statistics.json").read_text())
    assert (figures["measure"], figures["validation_episodes"]) == ("return", 20)
    assert best.value - 5 * best.standard_error < figures["expected_best"]["score"] <= best.value
    page = ng.report("s").read_text("utf-8")
    assert "best validation return" in page
    assert "accuracy" not in re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)


def test_help_and_mistakes_need_nothing_heavy(folder):
    code = (
        "import sys; from nograd.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print([m for m in ('jax', 'numpy', 'optuna', 'matplotlib') if m in sys.modules])"
    )
    for words in (["search", "--help"], ["search", "--budgett", "1h"], ["search", "digits", "--trials", "0"]):
        shown = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True).stdout
        assert shown.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digits", "--budget", "soon"], "10m"),
        (["digits", "--workers", "many"], "auto"),
        (["digits", "--join", "x"], "--storage"),
        (["digits", "--storage", "x"], "DIALECT"),
        (["digits", "--search", "lrr"], "did you mean lr"),
        (["digits", "--model", "rnn", "--trials", "1"], "mlp:128"),
        (["digits", "--search", "batch=fixed(5000)"], "use batch 1297"),
        (["nowhere.csv"], "not found"),
    ],
)
def test_a_mistake_is_one_line(folder, capsys, arguments, said):
    from nograd.cli.main import main

    with pytest.raises(SystemExit) as stop:
        main(["search", *arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith("nograd: ")
    assert error.count("\n") == 1
    assert said in error
    assert not Path("studies").exists()


def test_from_python_a_mistake_has_its_remedy(folder):
    with pytest.raises(ng.NogradError, match="did you mean budget"):
        ng.search("digits", budgett="1m")
    assert callable(ng.search)
    __import__("nograd.tuning.study.read")
    assert callable(ng.search)  # the package and the function share a name


# Slow: real processes, killed, joined, out of time -------------------------------------------------------


@pytest.mark.slow
def test_two_commands_on_one_study_are_one_search(folder):
    finished("digits", *QUICK, "--trials", 6, "--workers", 1, "--out", "alone")
    first = command("digits", *QUICK, "--trials", 6, "--workers", 1, "--out", "s")
    until(Path("s"), lambda study: study.trials)
    url = f"sqlite:///{folder / 's' / 'study.db'}"
    finished("--storage", url, "--join", "s", "--out", "joined", "--workers", 1)
    ended(first, code=0)
    alone, study = load_study("alone"), load_study("s")
    assert [trial[:5] for trial in study.trials] == [trial[:5] for trial in alone.trials]
    assert study.winner == alone.winner
    assert load_study("joined").trials == study.trials
    assert Path("s/best.toml").read_text().splitlines()[:-4] == Path("alone/best.toml").read_text().splitlines()[:-4]


@pytest.mark.slow
def test_the_number_of_workers_changes_no_trial(folder):
    finished("digits", *QUICK, "--trials", 5, "--workers", 1, "--out", "one")
    finished("digits", *QUICK, "--trials", 5, "--workers", 2, "--out", "two")
    assert [trial[:5] for trial in load_study("one").trials] == [trial[:5] for trial in load_study("two").trials]


@pytest.mark.slow
def test_a_killed_worker_costs_its_trial(folder):
    process = command("digits", *ENDLESS, "--out", "s")
    until(Path("s"), busy)
    os.kill(children(process)[0], signal.SIGKILL)
    study = until(Path("s"), lambda study: busy(study) and len(study.trials) == 3)
    assert sorted(trial.state for trial in study.trials) == ["failed", "running", "running"]
    assert "SIGKILL" in next(trial.reason for trial in study.trials if trial.state == "failed")
    ended(process, signal.SIGINT)


@pytest.mark.slow
def test_a_killed_command_leaves_nobody_and_goes_on(folder):
    process = command("digits", *ENDLESS, "--out", "s")
    until(Path("s"), busy)
    workers = children(process)
    ended(process, signal.SIGKILL, code=-9)
    assert len(workers) == 2
    assert gone(workers)
    spent = load_study("s").spent_seconds
    assert [trial.reason for trial in load_study("s").trials] == [LOST, LOST]
    again = command("digits", *ENDLESS, "--out", "s")
    until(Path("s"), busy)
    ended(again, signal.SIGINT)
    study = load_study("s")
    assert [trial.state for trial in study.trials] == ["failed", "failed", "stopped", "stopped"]
    assert all(trial.curve for trial in study.trials)
    assert study.spent_seconds > spent


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_was_learnt_and_says_how_to_go_on(folder, number):
    process = command("digits", *ENDLESS, "--out", "s")
    until(Path("s"), busy)
    start = time.monotonic()
    out, error = ended(process, number)
    assert time.monotonic() - start < 10
    assert error == "go on with: nograd search --out s\n"
    study = load_study("s")
    assert [(trial.state, trial.reason) for trial in study.trials] == [("stopped", "interrupted")] * 2
    assert all(trial.value is not None for trial in study.trials)
    assert "no winner" in out


@pytest.mark.slow
def test_a_second_signal_ends_at_once(folder):
    process = command("digits", *ENDLESS, "--out", "s")
    until(Path("s"), busy)
    workers = children(process)
    process.send_signal(signal.SIGINT)
    _, error = ended(process, signal.SIGINT)
    assert error.count("\n") == 1
    assert gone(workers)
    assert all(trial.state in ("failed", "stopped") for trial in load_study("s").trials)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_budget_is_a_promise(folder, workers):
    start = time.monotonic()
    out = finished("digits", *TINY, "--generations", 400, "--workers", workers, "--budget", "40s", "--out", "s")
    assert abs(time.monotonic() - start - 40) < 5, out
    study = load_study("s")
    assert study.winner is not None
    assert study.winner.test_scores
    assert "at this rate there will be about" in out
    assert abs(study.spent_seconds - 40) < 5


@pytest.mark.slow
def test_the_budget_ends_what_compiles(folder):
    # Its network takes a minute to trace, in workers alone: the command tries it once at the start.
    Path("mine.py").write_text(
        "import sys, time, nograd as ng\n"
        "def slow():\n"
        "    if 'worker' in sys.argv[0]:\n"
        "        time.sleep(60)\n"
        "    return ng.mlp(4)\n"
    )
    start = time.monotonic()
    flags = ["--model", "mine:slow", "--generations", "5", "--workers", 2]
    finished("digits", *flags, "--budget", "15s", "--out", "s")
    assert abs(time.monotonic() - start - 15) < 5
    assert [(t.state, t.value, t.reason) for t in load_study("s").trials] == [("stopped", None, "budget")] * 2
    # The budget counts over invocations: nothing is left of it.
    start = time.monotonic()
    assert "nothing of the budget is left" in finished("--out", "s")
    assert time.monotonic() - start < 10
    assert len(load_study("s").trials) == 2
    finished("--out", "s", "--budget", "25s")
    assert len(load_study("s").trials) == 4
    assert abs(load_study("s").spent_seconds - 25) < 5


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(folder):
    # The programs that XLA compiles are kept elsewhere: they would not fit either, and other tests share their folder.
    apart = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "programs")}
    flags = ["digits", *QUICK, "--space", "only", "--confirm", 0, "--workers", 1, "--out", "s"]
    finished(*flags, "--trials", 2, env=apart)
    before = load_study("s").trials
    most = (folder / "s/study.db").stat().st_size + 20_000

    process = command(*flags, "--trials", 2000, env=apart)
    # A write beyond it fails as on a full disk, and Python ignores the signal. While it still imports: no trial runs.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    workers: list[int] = []
    while process.poll() is None and not (workers := children(process)):
        time.sleep(0.05)
    _, error = ended(process, code=2)
    assert error.startswith("nograd: cannot use the study's database")
    assert error.count("\n") == 1
    assert "make room" in error
    assert workers
    assert gone(workers)
    kept = load_study("s").trials
    assert kept[:2] == before
    assert len(kept) < 2000
    finished(*flags, "--trials", len(kept) + 2, env=apart)
    again = load_study("s").trials
    assert sum(map(counts, again)) == len(kept) + 2
    assert [trial for trial in again[: len(kept)] if trial.state == "complete"] == [
        trial for trial in kept if trial.state == "complete"
    ]
    assert sum(trial.reason == LOST for trial in again) <= 1  # the one that ran, if any


@pytest.mark.slow
def test_failures_are_recorded_and_end_nothing(folder):
    Path("mine.py").write_text(
        "import jax.numpy as jnp\n"
        "def nan(outputs, labels): return jnp.where(outputs.shape[0] == 16, jnp.nan, outputs[:, 0])\n"
    )
    flags = ["--fitness", "mine:nan", "--model", "mlp:4", "--generations", "5", "--workers", 2, "--confirm", 1]
    drawn = ["batch=choice(16,32,2000)", "population=choice(8,9)"]
    out = finished("digits", *flags, "--trials", 24, "--search", *drawn, "--out", "s")
    study = load_study("s")
    assert "draws cannot be trained" in out
    reasons = {trial.reason for trial in study.trials}
    assert {"nonfinite_fitness", "generations"} <= reasons
    assert any("must be even" in reason for reason in reasons)
    assert any("batch must be 1 to 1,297" in reason for reason in reasons)
    assert study.winner.test_scores


@pytest.mark.slow
def test_a_space_that_only_fails_is_stopped_in_the_end(folder):
    Path("mine.py").write_text(
        "import sys, nograd as ng\n"
        "def broken():\n"
        "    if 'worker' in sys.argv[0]:\n"
        "        raise ng.NogradError('not here')\n"
        "    return ng.mlp(4)\n"
    )
    _, error = ended(
        command("digits", "--model", "mine:broken", "--trials", 1000, "--workers", 1, "--out", "s"), code=2
    )
    assert "all 50 trials so far have failed, the last one so: model 'mine:broken' failed when it was called" in error
    assert "not here" in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_the_test_split_is_the_winners_alone(folder):
    """With other test labels nothing changes but the winner's test accuracy."""
    import numpy as np

    from nograd.data import load_digits

    data = load_digits()
    x = np.concatenate([data.x_train, data.x_val, data.x_test]).reshape(-1, 64)
    y = np.concatenate([data.y_train, data.y_val, data.y_test])
    parts = {"x_train": x[:1200], "y_train": y[:1200], "x_val": x[1200:1500], "y_val": y[1200:1500]}
    studies = []
    for shift in (0, 1):
        np.savez(f"{shift}.npz", **parts, x_test=x[1500:], y_test=(y[1500:] + shift) % 10)
        finished(f"{shift}.npz", *QUICK, "--trials", 3, "--out", f"s{shift}")
        studies.append(load_study(f"s{shift}"))
    assert [trial[:5] for trial in studies[0].trials] == [trial[:5] for trial in studies[1].trials]
    assert studies[0].winner.val_scores == studies[1].winner.val_scores
    assert studies[0].winner.test_scores != studies[1].winner.test_scores


@pytest.mark.slow
def test_files_are_split_once_for_all_trials(folder):
    """Each trial has a seed of its own, but the examples that test the winner are never trained on."""
    rows = [f"{(k * 37) % 101},{(k * 53) % 89},{k % 2}" for k in range(400)]
    Path("data.csv").write_text("a,b,label\n" + "\n".join(rows))
    finished("data.csv", *QUICK, "--trials", 3, "--confirm", 2, "--out", "s")
    study = load_study("s")
    assert study.winner.settings["split_seed"] == 0
    assert len({*study.winner.seeds, study.winner.settings["seed"], 0}) == 4
    run = ng.train(config="s/best.toml", out="run")
    assert run.result["test_accuracy"] == study.winner.test_scores[0]


@pytest.mark.slow
def test_a_worker_that_cannot_start_says_why_once(folder):
    (folder / "sitecustomize.py").write_text(
        "import sys\nif 'nograd.tuning.worker_main' in sys.orig_argv: sys.modules['optax'] = None\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"}
    _, error = ended(command("digits", *QUICK, "--trials", 2, "--workers", 1, "--out", "s", env=environment), code=2)
    assert error.count("import of optax halted") == 2  # in its traceback, and in the one line
    assert error.splitlines()[-1].startswith("nograd: worker 0 cannot start: ModuleNotFoundError")
