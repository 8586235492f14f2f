"""Predictions of a file: columns by name, some carried along, in any form; new labelled examples are scored."""

import csv
import io
import json

import numpy as np
import polars as pl
import pytest

import nograd as ng
from nograd.cli.main import main
from nograd.core.types import ConfigError, DataError

pytestmark = pytest.mark.slow  # minutes in all: before a release

QUICK = {"model": "mlp:4", "population": 8, "generations": 3, "eval_every": 1, "engine": "inline"}


def table(rows=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2))
    return pl.DataFrame(
        {
            "width": x[:, 0],
            "colour": [("red", "blue")[int(v > 0)] for v in x[:, 1]],
            "kind": [("oak", "elm")[int(v > 0)] for v in x[:, 0]],
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ng.train(table(), label="kind", out=tmp_path_factory.mktemp("runs") / "run", **QUICK)


@pytest.fixture
def nograd(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def new_file(path):
    cells = table(6).select(id=pl.Series([f"00{i}" for i in range(6)]), colour="colour", width="width")
    cells.write_csv(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "jsonl"])
def test_every_form_says_the_same(run, nograd, tmp_path, suffix):
    new_file(tmp_path / "new.csv")
    assert nograd("predict", run.path, "new.csv", "--proba", "--keep", "id,width", "--out", f"o.{suffix}")[0] == 0
    readers = {"csv": lambda path: pl.read_csv(path, schema_overrides={"id": pl.String}), "jsonl": pl.read_ndjson}
    found = readers.get(suffix, getattr(pl, f"read_{suffix}", None))(tmp_path / f"o.{suffix}")
    assert found.columns == ["id", "width", "class", "p_elm", "p_oak"]
    assert found["id"].to_list() == [f"00{i}" for i in range(6)]
    assert found["class"].to_list() == run.predict(table(6)).tolist()
    np.testing.assert_allclose(found.select("p_elm", "p_oak").to_numpy(), run.predict_proba(table(6)), atol=1e-6)


def test_all_columns_are_carried_as_they_stand(run, nograd, tmp_path):
    text = "id,note,width,colour,class\n007,'a  b',1.50,red,x\n008,NA,-2e0,blue,\n"
    (tmp_path / "new.csv").write_text(text)
    code, out, _ = nograd("predict", run.path, "new.csv", "--keep", "all")
    rows, given = list(csv.reader(io.StringIO(out))), list(csv.reader(io.StringIO(text)))
    assert code == 0
    assert [row[:5] for row in rows] == given
    assert rows[0][5:] == ["predicted_class"]


def test_standard_input_and_what_the_model_does_not_know(run, nograd, tmp_path, monkeypatch):
    content = new_file(tmp_path / "new.csv").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, out, err = nograd("predict", run.path, "-")
    assert (code, out.split()) == (0, ["class", *run.predict(table(6))])
    assert "left out: id" in err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"width\n1\n")))
    code, _, err = nograd("predict", run.path, "-")
    assert (code, err.count("\n")) == (2, 1)
    assert "standard input lacks the column colour" in err


def test_empty_rows_that_are_left_out_are_counted(run, nograd, tmp_path):
    (tmp_path / "new.csv").write_text("width,colour\n1,red\n,\n2,blue\n,\n")
    code, out, err = nograd("predict", run.path, "new.csv")
    assert (code, len(out.split())) == (0, 1 + 2)
    assert err == "rows without any content, left out: 1\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--keep", "nope"], "no column 'nope' to keep"),
        (["--out", "x.foo"], ".parquet"),
        (["--out", "x"], ".parquet"),
    ],
)
def test_what_predict_refuses(run, nograd, tmp_path, flags, words):
    new_file(tmp_path / "new.csv")
    code, _, err = nograd("predict", run.path, "new.csv", *flags)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_new_examples_are_scored(run, nograd, tmp_path):
    table().write_csv(tmp_path / "t.csv")
    code, out, _ = nograd("evaluate", run.path, "t.csv", "--json")
    right = float(np.mean(run.predict(table()) == table()["kind"].to_numpy()))
    assert code == 0
    assert json.loads(out)["accuracy"] == pytest.approx(right)
    assert run.evaluate(dataset=table()[::-1])["accuracy"] == pytest.approx(right)
    with pytest.raises(DataError, match="lacks the label column 'kind'"):
        run.evaluate(dataset=table().drop("kind"))
    with pytest.raises(DataError, match=r"'ash'.*none of the classes of the training, elm, oak"):
        run.evaluate(dataset=table().with_columns(kind=pl.lit("ash")))


def test_values_of_python_are_remembered_by_the_program_alone(run):
    assert run.evaluate()["accuracy"] == run.result["test_accuracy"]
    with pytest.raises(DataError, match=r"values from Python.*dataset="):
        ng.load(run.path).evaluate()


def test_parts_of_their_own(tmp_path):
    x, y = table()["width"].to_numpy()[:, None], table()["kind"].to_list()
    made = ng.train(x, y, test=(x[:9], y[:9]), val=(x[:5], y[:5]), out=tmp_path / "a", **QUICK)
    assert [made.config["data"][part] for part in ("train", "val", "test")] == [60, 5, 9]
    with pytest.raises(DataError, match="give a frame"):
        ng.train(table(), label="kind", test=x, out=tmp_path / "b", **QUICK)
    with pytest.raises(ConfigError, match="path of a file"):
        ng.train("digits", test=table(), out=tmp_path / "b", **QUICK)
