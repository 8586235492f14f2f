"""A study in its storage, without any training: trials by address, what is written, who is lost, what goes wrong."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid

import pytest

from nograd.cli.main import main
from nograd.core.types import ConfigError, DataError, RunError
from nograd.tuning.confirm import Confirmations
from nograd.tuning.open_study import open_or_make
from nograd.tuning.run_trials import Trials
from nograd.tuning.settings import SearchConfig
from nograd.tuning.space import draw, random_value
from nograd.tuning.study.lifetime import Lifetime
from nograd.tuning.study.location import is_study, place_of, without_password
from nograd.tuning.study.read import LOST, load_study
from nograd.tuning.study.sessions import LOOK, SILENCE, Watch
from nograd.tuning.study.write import StudyWriter, counts
from nograd.tuning.trial import TrialEnd

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_runs")]


QUICK = {"task": "digits", "model": "mlp:4", "generations": 10, "eval_every": 5, "trials": 8}


@pytest.fixture
def opened(tmp_path):
    return open_or_make(SearchConfig(**QUICK, out=str(tmp_path / "s"), search=("momentum=uniform(0.1,0.9)",)))


def ledger_of(opened):
    return StudyWriter(opened.place, opened.space, opened.base, opened.terms, 0.0)


def asked(writer, count):
    """The drawn settings of some trials, by number."""
    return {trial.number: drawn for trial, drawn in (writer.ask("0") for _ in range(count))}


def test_what_is_written_is_read(opened):
    writer = ledger_of(opened)
    (first, drawn), (second, _), (third, _) = (writer.ask(str(worker)) for worker in range(3))
    assert not writer.prunes(first, 5, 0.5)
    writer.keep(first, [(5, 0.5)])
    assert load_study(opened.place.path).trials[0].curve == [(5, 0.5)]
    writer.tell(first, "complete", [(5, 0.5), (10, 0.4)], "generations", 2.0)
    writer.tell(second, "failed", [], "nonfinite_parameters", 1.0)
    writer.keep(third, [(5, 0.1)])
    study = load_study(opened.place.path)
    assert study.trials[0]._replace(start=0.0) == (
        0, "complete", drawn, 0.5, [(5, 0.5), (10, 0.4)], "0", 0.0, 2.0, "generations", None,
    )  # fmt: skip
    assert [trial.state for trial in study.trials] == ["complete", "failed", "running"]
    assert study.trials[1].reason == "nonfinite_parameters"
    assert (study.task, study.validation, study.name) == ("digits", 250, "s")
    assert study.space == opened.space
    assert study.winner is None
    writer.tell(third, "stopped", [(5, 0.1)], "budget", 1.0)
    assert load_study(opened.place.path).trials[2][:4:3] == (2, 0.1)
    assert list(map(counts, load_study(opened.place.path).trials)) == [True, True, False]


def test_reading_needs_no_jax(opened):
    code = (
        "import sys; from nograd.tuning.study.read import load_study; load_study(sys.argv[1]); "
        "print([name for name in ('jax', 'matplotlib') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(opened.place.path)], capture_output=True, text=True)
    assert shown.stdout.strip() == "[]", shown.stderr


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_trial_is_its_number_whoever_draws_it(tmp_path, sampler):
    made = [
        open_or_make(SearchConfig(**QUICK, seed=3, sampler=sampler, out=str(tmp_path / name))) for name in ("a", "b")
    ]
    alone = asked(ledger_of(made[0]), 8)
    first, second = ledger_of(made[1]), ledger_of(made[1])  # two processes in turn
    together = [asked(each, 1) for each in (first, second, second, first)]
    later = asked(ledger_of(made[1]), 4)  # and a third, after both
    assert {number: drawn for part in (*together, later) for number, drawn in part.items()} == alone
    assert len({json.dumps(drawn) for drawn in alone.values()}) == 8


@pytest.mark.parametrize(("sampler", "pruner"), [("tpe", "median"), ("cmaes", "hyperband")])
def test_samplers_that_learn_do_not_repeat_themselves_when_resumed(tmp_path, sampler, pruner):
    opened = open_or_make(SearchConfig(**QUICK, sampler=sampler, pruner=pruner, out=str(tmp_path / "s")))
    drawn = []
    for _ in range(2):
        writer = ledger_of(opened)
        for _ in range(3):
            trial, settings = writer.ask("0")
            drawn.append(json.dumps(settings))
            writer.prunes(trial, 5, 0.5)
            writer.tell(trial, "complete", [(5, 0.5)], "generations", 1.0)
    assert len(set(drawn)) == 6


def test_the_median_pruner_prunes_the_worse(tmp_path):
    opened = open_or_make(SearchConfig(**QUICK, pruner="median", out=str(tmp_path / "s")))
    writer = ledger_of(opened)
    for _ in range(6):
        trial, _ = writer.ask("0")
        assert not writer.prunes(trial, 5, 0.9)
        writer.tell(trial, "complete", [(5, 0.9)], "generations", 1.0)
    trial, _ = writer.ask("0")
    assert writer.prunes(trial, 5, 0.1)


def test_trials_of_a_dead_process_are_lost_and_of_a_live_one_not(opened):
    code = (
        "import os, sys, signal; from nograd.tuning.settings import SearchConfig; "
        "from nograd.tuning.open_study import open_or_make; from nograd.tuning.study.write import StudyWriter; "
        "o = open_or_make(SearchConfig(out=sys.argv[1])); l = StudyWriter(o.place, o.space, o.base, o.terms, 0.0); "
        "l.keep(l.ask('9')[0], [(5, 0.25)]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    mine = ledger_of(opened)
    trial, _ = mine.ask("0")
    assert subprocess.run([sys.executable, "-c", code, str(opened.place.path)]).returncode == -9
    running, lost = load_study(opened.place.path).trials
    assert (running.state, lost.state, lost.reason, lost.value) == ("running", "failed", LOST, 0.25)
    assert mine.bury() == [1]
    assert mine.bury() == []
    assert load_study(opened.place.path).trials[1].state == "failed"
    assert not counts(load_study(opened.place.path).trials[1])
    mine.beat(ended=True)
    assert load_study(opened.place.path).trials[0].reason == LOST
    mine.tell(trial, "complete", [(5, 0.5)], "generations", 1.0)  # it was not written as lost, so its end stands
    assert load_study(opened.place.path).trials[0].state == "complete"


def test_an_end_that_comes_after_the_burial_is_let_go(opened):
    one, other = ledger_of(opened), ledger_of(opened)
    trial, _ = one.ask("0")
    one.beat(ended=True)
    assert other.bury() == [0]
    one.keep(trial, [(5, 0.5)])
    one.tell(trial, "complete", [(5, 0.5)], "generations", 1.0)
    assert load_study(opened.place.path).trials[0].state == "failed"


def test_two_machines_do_not_draw_more_than_the_limit(opened, monkeypatch):
    here, there = ledger_of(opened), ledger_of(opened)
    first, second = Trials(here, 1, {}, print), Trials(there, 1, {}, print)
    before = there.record()
    assert first.next("0")[0] == 0
    with monkeypatch.context() as patch:  # the other has looked before that draw
        answers = iter([before])
        look = there.record
        patch.setattr(there, "record", lambda: next(answers, None) or look())
        assert second.next("0") is None
    assert second.exhausted
    assert [trial.state for trial in load_study(opened.place.path).trials] == ["running"]
    # What was put back is the next trial, whoever draws it.
    third = Trials(there, 2, {}, print)
    number, job = third.next("0")
    alone = draw(opened.space, random_value(opened.terms.seed, 1), opened.base)
    assert (number, {name: job.settings[name] for name in alone}) == (1, alone)


def test_a_wall_clock_that_is_set_takes_no_trial_and_no_time(opened, monkeypatch):
    """Neither from a command on this machine, nor from one on another; and a restart counts on."""
    mine = ledger_of(opened)
    mine.ask("0")
    other = ledger_of(opened)
    other._session = other._session._replace(machine="elsewhere")
    other._last = float("-inf")
    other.beat()
    other.ask("0")
    spent = mine.spent()
    now = time.time()
    for shift in (120.0, 1e6, -1e6):
        monkeypatch.setattr(time, "time", lambda shift=shift: now + shift)
        third = ledger_of(opened)
        assert third.bury() == mine.bury() == []
        assert [trial.state for trial in load_study(opened.place.path).trials] == ["running", "running"]
        assert sum(map(counts, third.record().trials)) == 2
        assert third.spent() == pytest.approx(spent, abs=5.0)
        third.beat(ended=True)


def test_a_command_that_was_killed_has_spent_its_time_and_its_start_up(opened):
    """Before it could write to the database, or a moment after it last did."""
    first = ledger_of(opened)
    first._session = first._session._replace(process=2**22 + 1)  # it is gone
    first._last = float("-inf")
    first.beat()
    files = []
    for seconds, writer in ((30.0, None), (7.0, first)):
        lifetime = Lifetime(time.monotonic() - seconds)
        lifetime._session = lifetime._session._replace(process=2**22 + 1)
        if writer:
            lifetime.mark = uuid.UUID(hex=writer._mark + "0" * 20)
        lifetime.keep_in(opened.place.path)
        lifetime._over.set()
        files.append(lifetime._path)
    (opened.place.path / "session-torn.json").write_text('["a", 1')
    assert all(path.is_file() for path in files)
    assert ledger_of(opened).spent() == pytest.approx(37.0, abs=2.0)
    assert not any(path.is_file() for path in files)
    assert ledger_of(opened).spent() == pytest.approx(37.0, abs=2.0)  # once


def test_a_living_commands_file_is_left_alone(opened):
    lifetime = Lifetime(time.monotonic() - 30.0)
    lifetime.keep_in(opened.place.path)
    assert ledger_of(opened).spent() < 10
    lifetime.close()
    assert not list(opened.place.path.glob("session-*"))


def test_a_command_that_was_killed_while_it_made_the_study_leaves_no_obstacle(opened):
    path = opened.place.path
    (path / "study.json").unlink()  # which is written last
    lifetime = Lifetime(time.monotonic())
    lifetime.keep_in(path)
    flags = SearchConfig(**QUICK, out=str(path))
    with pytest.raises(RunError, match="without study"):  # it is still at it
        open_or_make(flags)
    lifetime._session = lifetime._session._replace(process=2**22 + 1)
    lifetime._write(lifetime._path)
    lifetime._over.set()
    assert open_or_make(flags).place == opened.place
    assert is_study(path)


def test_a_machine_that_falls_silent_has_lost_its_trials(opened, monkeypatch):
    other, mine = ledger_of(opened), ledger_of(opened)
    other._session = other._session._replace(machine="elsewhere")
    other._last = float("-inf")
    other.beat()
    other.ask("0")
    now = [time.monotonic()]
    mine._watch = Watch(lambda: now[0])

    def passes(seconds, beats):
        for _ in range(int(seconds / LOOK)):
            now[0] += LOOK
            mine._looked = mine._last = other._last = float("-inf")
            if beats:
                time.sleep(0.002)
                other.beat()
            mine.beat()

    passes(4 * LOOK, beats=False)
    assert mine.unsure() == {"elsewhere"}  # nobody can know yet
    passes(2 * SILENCE, beats=True)
    assert (mine.bury(), mine.unsure()) == ([], set())
    passes(SILENCE - LOOK, beats=False)
    assert mine.bury() == []
    passes(2 * LOOK, beats=False)
    assert mine.bury() == [0]
    assert mine.record().trials[0].reason == LOST


def test_time_is_spent_over_sessions(opened):
    first = StudyWriter(opened.place, opened.space, opened.base, opened.terms, 10.0)
    first.beat(ended=True)
    assert load_study(opened.place.path).spent_seconds == pytest.approx(10.0, abs=0.5)
    second = ledger_of(opened)
    time.sleep(0.2)
    assert second.spent() == pytest.approx(10.2, abs=0.3)


def complete(writer, value, seconds=1.0):
    """A trial with this value at its end."""
    trial, _ = writer.ask("0")
    writer.tell(trial, "complete", [(10, value)], "generations", seconds)
    return writer.record().trials[trial.number]


def confirmed(confirmations, count):
    """So many of its seeds, trained again."""
    for _ in range(count):
        seed, _ = confirmations.next("0")
        figures = {"test_accuracy": 0.5, "test_interval": [0.4, 0.6]}
        confirmations.ended(seed, TrialEnd("complete", 0.5, "generations", figures), 1.0)


def test_a_winner_without_figures_takes_the_place_of_none_that_has_them(opened):
    writer = ledger_of(opened)
    first = Confirmations(writer, complete(writer, 0.5), 3, {})
    assert (writer.record().winner.trial, writer.record().winner.seeds) == (0, [])
    confirmed(first, 3)
    assert first.shortfall() == ""
    better = complete(writer, 0.9)
    second = Confirmations(writer, better, 3, {})
    assert (writer.record().winner.trial, len(writer.record().winner.seeds)) == (0, 3)
    assert "trial 1 is better than the winner" in second.shortfall()
    confirmed(second, 2)
    assert (writer.record().winner.trial, len(writer.record().winner.seeds)) == (1, 2)
    assert "on 2 of 3 seeds" in second.shortfall()
    third = Confirmations(writer, better, 3, {})  # what is there is not done again
    assert len(third.left) == 1
    assert writer.record().winner.seeds == second._seeds[:2]


def test_seeds_that_failed_are_not_for_want_of_time(opened):
    writer = ledger_of(opened)
    confirmations = Confirmations(writer, complete(writer, 0.5), 1, {})
    seed, _ = confirmations.next("0")
    confirmations.ended(seed, TrialEnd("failed", None, "nonfinite_fitness"), 1.0)
    assert (confirmations.shortfall(), confirmations.failures) == ("", [f"seed {seed}: nonfinite_fitness"])


# What can be wrong ---------------------------------------------------------------------------------------


def test_a_study_is_gone_on_with_on_its_own_terms(opened):
    out = str(opened.place.path)
    again = open_or_make(SearchConfig(out=out, trials=20, budget="5m", confirm=1))
    assert (again.base, again.space) == (opened.base, opened.space)
    assert (again.terms.trials, again.terms.budget, again.terms.confirm) == (20, "5m", 1)
    same = SearchConfig(**QUICK, out=out, search=("momentum=uniform(0.1,0.9)",))  # the very same command
    assert open_or_make(same).terms.trials == 8
    for flags, word in (
        ({"seed": 5}, "--seed 0"),
        ({"generations": 11}, "--generations 10"),
        ({"sampler": "tpe"}, "--sampler random"),
        ({"task": "mnist"}, "TASK digits"),
        ({"preset": "openai-es"}, "the study has"),
        ({"search": ("lr",)}, "--search momentum=uniform"),
    ):
        with pytest.raises(ConfigError, match=word):
            open_or_make(SearchConfig(out=out, **flags))


def test_other_data_are_refused(tmp_path):
    csv = tmp_path / "data.csv"
    rows = [f"{k % 7},{k % 3},{k % 2}" for k in range(120)]
    csv.write_text("a,b,label\n" + "\n".join(rows))
    out = str(tmp_path / "s")
    opened = open_or_make(SearchConfig(task=str(csv), out=out, model="mlp:2", trials=1))
    assert opened.base.task == str(csv)
    from nograd.tuning.trial import _source

    _source.cache_clear()
    csv.write_text("a,b,label\n" + "\n".join(reversed(rows)))
    with pytest.raises(DataError, match="have changed"):
        open_or_make(SearchConfig(out=out))
    _source.cache_clear()


def test_what_is_no_study(tmp_path, opened):
    with pytest.raises(RunError, match="is not a study"):
        load_study(tmp_path)
    assert not is_study(tmp_path)
    path = opened.place.path
    (path / "study.json").write_text("{")
    with pytest.raises(RunError, match="cannot read"):
        load_study(path)
    (path / "study.json").write_text('{"format": "nograd-study-9", "name": "s", "storage": null}')
    with pytest.raises(RunError, match="another version"):
        load_study(path)
    (path / "study.json").unlink()
    with pytest.raises(RunError, match="without study"):
        open_or_make(SearchConfig(**QUICK, out=str(path)))


def test_a_lost_and_a_damaged_database(opened):
    database = opened.place.path / "study.db"
    database.write_bytes(b"x" * 4096)
    with pytest.raises(RunError, match="not a database") as caught:
        load_study(opened.place.path)
    assert "\n" not in str(caught.value)
    database.unlink()
    with pytest.raises(RunError, match="has lost its database"):
        load_study(opened.place.path)


def test_a_full_database_is_one_line_and_loses_nothing(opened, monkeypatch):
    writer = ledger_of(opened)
    trial, _ = writer.ask("0")
    writer.keep(trial, [(5, 0.5)])
    engine = writer._study._storage._backend.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    engine.dispose()
    import sqlalchemy

    sqlalchemy.event.listen(
        engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}"), named=False
    )
    with pytest.raises(RunError, match="full") as caught:
        asked(writer, 2000)
    assert "make room" in str(caught.value)
    assert "\n" not in str(caught.value)
    kept = load_study(opened.place.path)
    assert kept.trials[0].curve == [(5, 0.5)]


def test_a_database_with_a_name_twice_or_none(tmp_path, opened):
    url = opened.place.url
    with pytest.raises(ConfigError, match="--join s"):
        open_or_make(SearchConfig(**QUICK, out=str(tmp_path / "elsewhere" / "s"), storage=url))
    with pytest.raises(RunError, match="no study nobody"):
        open_or_make(SearchConfig(join="nobody", storage=url))
    joined = open_or_make(SearchConfig(join="s", storage=url, out=str(tmp_path / "other")))
    assert (joined.base, joined.space, joined.terms) == (opened.base, opened.space, opened.terms)
    assert place_of(tmp_path / "other").url == url
    assert load_study(tmp_path / "other").name == "s"


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        '{"format": "nograd-study-2"}',
        '{"format": "nograd-study-2", "name": "s", "storage": 3}',
        '{"format": "nograd-study-2", "name": "s", "storage": "nothing"}',
        '{"format": "nograd-study-2", "name": "s", "storage": "foo://bar"}',
        '{"format": "nograd-study-2", "name": ["s"], "storage": null}',
        '{"format": "nograd-study-2", "name": "s", "storage": "sqlite:////etc/passwd"}',
        '{"format": "nograd-study-2", "name": "s", "storage": "sqlite:////nowhere/at/all.db"}',
        "\x00",
    ],
)
def test_a_hostile_study_file_is_one_line(opened, capsys, text):
    (opened.place.path / "study.json").write_text(text)
    said = one_line_of(["search", "--out", str(opened.place.path), "--trials", "1"], capsys)
    assert not said.startswith("nograd: unexpected")


@pytest.mark.parametrize(
    "change",
    [
        lambda record: None,
        lambda record: [],
        lambda record: {**record, "base": {**record["base"], "evil": 1}},
        lambda record: {**record, "search": {}},
        lambda record: {**record, "space": [{"name": "lr"}]},
        lambda record: {**record, "space": 7},
        lambda record: {key: value for key, value in record.items() if key != "data"},
    ],
)
def test_a_hostile_record_is_one_line(opened, capsys, change):
    study = ledger_of(opened)._study
    study.set_user_attr("record", change(study.user_attrs["record"]))
    said = one_line_of(["search", "--out", str(opened.place.path), "--trials", "1"], capsys)
    assert said.startswith("nograd: the study s in sqlite:///")
    assert "not one that nograd wrote" in said


@pytest.mark.parametrize("url", ["foo://bar", "sqlite:////nowhere/at/all.db", "sqlite:////etc/passwd", "://", "a b://"])
def test_a_hostile_url_is_one_line_and_leaves_no_study(tmp_path, capsys, url):
    out = tmp_path / "s"
    said = one_line_of(["search", "digits", "--storage", url, "--trials", "1", "--out", str(out)], capsys)
    assert not said.startswith("nograd: unexpected")
    assert url in said
    assert not is_study(out)


def test_a_study_in_a_file_that_is_not_there_leaves_none(tmp_path, capsys, opened):
    file, out = tmp_path / "nowhere.db", tmp_path / "joined"
    said = one_line_of(["search", "--storage", f"sqlite:///{file}", "--join", "s", "--out", str(out)], capsys)
    assert f"there is no database sqlite:///{file} with the study s; check --storage" in said
    assert not file.exists()
    assert not out.exists()
    # Nor does a study directory whose database has gone elsewhere.
    mark = opened.place.path / "study.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"storage": f"sqlite:///{file}"}))
    with pytest.raises(RunError, match="there is no database"):
        load_study(opened.place.path)
    assert not file.exists()


def one_line_of(arguments, capsys):
    """What the command says of a mistake."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert said.startswith("nograd: ")
    assert said.count("\n") == 1
    return said


def test_a_storage_without_a_driver_and_a_password():
    with pytest.raises(ConfigError, match="needs a driver") as caught:
        open_or_make(SearchConfig(join="s", storage="oracle+nothing://me:secret@127.0.0.1/x"))
    assert "secret" not in str(caught.value)
    assert without_password("postgresql://me:secret@host/x") == "postgresql://me@host/x"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_a_study_can_be_read_where_nothing_can_be_written(opened):
    path = opened.place.path
    before = sqlite3.connect(path / "study.db").execute("select count(*) from studies").fetchone()
    os.chmod(path / "study.db", 0o444)  # noqa: PTH101
    os.chmod(path, 0o555)  # noqa: PTH101
    try:
        assert load_study(path).name == "s"
    finally:
        os.chmod(path, 0o755)  # noqa: PTH101
    assert before == (1,)
