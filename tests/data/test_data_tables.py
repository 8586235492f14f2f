"""Laws of tables: what came in another form, order or file is the same data set."""

import gzip
import io
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nograd.config.settings import TrainConfig
from nograd.data import (
    Dataset,
    account_lines,
    checksum,
    encoding_from_json,
    load,
    load_inputs,
    target_from_json,
    validate,
)
from nograd.runs.new_examples import labelled_examples

N = 120


@pytest.fixture
def rows():
    """A table with every kind of column, and holes in it."""
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 3, N)
    return pl.DataFrame(
        {
            "id": [f"p{i}" for i in rng.permutation(N)],
            "mass": [None if i % 17 == 0 else round(v, 3) for i, v in enumerate(rng.normal(1e9, 3, N).tolist())],
            "island": [None if i % 11 == 5 else ("Dream", "Biscoe", "Torgersen")[v] for i, v in enumerate(kind)],
            "ringed": [bool(v) for v in rng.integers(0, 2, N)],
            "day": [f"2012-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(N)],
            "same": [7] * N,
            "count": [int(v) for v in rng.integers(0, 400, N)],
            "species": [("Adelie", "Gentoo", "Chinstrap")[v] for v in kind],
        }
    )


def load_rows(tmp_path, frame, **options):
    path = tmp_path / "rows.csv"
    frame.write_csv(path)
    return load(path, label="species", **options)


def same(a, b):
    for name in ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.encoding, a.target, a.columns, checksum(a)) == (b.encoding, b.target, b.columns, checksum(b))


def test_what_becomes_of_each_column_is_said(tmp_path, rows):
    data = validate(load_rows(tmp_path, rows))
    kinds = {line.column: line.kind for line in data.account}
    assert kinds == {
        "id": "dropped",
        "mass": "number",
        "island": "category",
        "ringed": "flag",
        "day": "date",
        "same": "dropped",
        "count": "number",
        "species": "label",
    }
    text = "\n".join(account_lines(data))
    assert "index: numbers or names the rows" in text
    assert "constant: always 7" in text
    assert data.class_names == ("Adelie", "Chinstrap", "Gentoo")
    assert len(data.features) == data.x_train.shape[1]
    assert np.isfinite(data.x_train).all()


@pytest.mark.parametrize(
    "form", ["tsv", "semicolon", "utf-16", "gz", "parquet", "json", "jsonl", "xlsx", "pandas", "pyarrow", "dict"]
)
def test_the_same_table_in_any_form_is_the_same_data_set(tmp_path, rows, form):
    expected = load_rows(tmp_path, rows)
    plain = rows.to_dict(as_series=False)
    if form in ("pandas", "pyarrow", "dict"):
        frame = {"pandas": lambda: pd.DataFrame(plain), "pyarrow": rows.to_arrow, "dict": lambda: plain}[form]()
        return same(Dataset.from_frame(frame, "species"), expected)
    csv = rows.write_csv()
    suffix = {"semicolon": "csv", "utf-16": "csv", "gz": "csv.gz"}.get(form, form)
    path = tmp_path / f"other.{suffix}"
    content = {
        "tsv": lambda: rows.write_csv(separator="\t").encode(),
        "semicolon": lambda: rows.write_csv(separator=";", decimal_comma=True).encode(),
        "utf-16": lambda: csv.encode("utf-16"),
        "gz": lambda: gzip.compress(csv.encode()),
        "parquet": lambda: in_memory(rows.with_columns(pl.col("day").str.to_date()).write_parquet),
        "json": lambda: json.dumps(rows.to_dicts()).encode(),
        "jsonl": lambda: "\n".join(map(json.dumps, rows.to_dicts())).encode(),
        "xlsx": lambda: in_memory(lambda out: pd.DataFrame(plain).to_excel(out, index=False, engine="openpyxl")),
    }[form]
    path.write_bytes(content())
    same(load(path, label="species"), expected)


def in_memory(write):
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def test_arrays_are_the_table_of_their_columns(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 12)), np.array(["no", "yes"])[rng.integers(0, 2, 60)]
    frame = pl.DataFrame({f"x{i}": x[:, i] for i in range(12)} | {"y": y})
    expected = load_rows(tmp_path, frame.rename({"y": "species"}))
    for given in (x, x.tolist()):
        data = Dataset.from_arrays(given, y)
        np.testing.assert_array_equal(data.x_train, expected.x_train)
        np.testing.assert_array_equal(data.y_test, expected.y_test)


def test_the_order_of_columns_is_of_no_account(tmp_path, rows):
    same(load_rows(tmp_path, rows.select(rows.columns[::-1])), load_rows(tmp_path, rows))


def test_the_order_of_rows_changes_nothing_but_the_split(tmp_path, rows):
    """With the parts in files of their own there is no split."""
    rows[100:].write_csv(tmp_path / "held.csv")
    held = {"val": tmp_path / "held.csv", "test": tmp_path / "held.csv"}
    one = load_rows(tmp_path, rows[:100], **held)
    other = load_rows(tmp_path, rows[:100].sample(fraction=1, shuffle=True, seed=1), **held)
    assert one.encoding == other.encoding
    np.testing.assert_array_equal(one.x_test, other.x_test)
    assert sorted(map(tuple, one.x_train)) == sorted(map(tuple, other.x_train))


def test_the_encoding_is_learnt_on_the_training_rows_alone(tmp_path, rows):
    data = load_rows(tmp_path, rows)
    outside = set(np.concatenate(data.rows[1:]).tolist())
    there = pl.Series([i in outside for i in range(N)])
    changed = rows.with_columns(
        mass=pl.when(there).then(5.0).otherwise("mass"), island=pl.when(there).then(pl.lit("Mars")).otherwise("island")
    )
    other = load_rows(tmp_path, changed)
    assert other.encoding == data.encoding
    np.testing.assert_array_equal(other.x_train, data.x_train)


def test_the_encoding_goes_through_json_and_is_applied_by_name(tmp_path, rows, refusal):
    data = load_rows(tmp_path, rows)
    encoding = encoding_from_json(json.loads(json.dumps(data.encoding.to_json())))
    assert encoding == data.encoding
    assert target_from_json(json.loads(json.dumps(data.target.to_json()))) == data.target
    path = tmp_path / "new.csv"
    new = rows.drop("species", "same").select(["day", "count", "mass", "ringed", "island"])
    new.write_csv(path)
    x = load_inputs(path, encoding.shape, encoding=encoding)
    np.testing.assert_array_equal(x[data.rows[0]], data.x_train)
    new.with_columns(pl.lit("nowhere").alias("island")).write_csv(path)
    levels = [i for i, name in enumerate(data.features) if name.startswith("island=")]
    assert not load_inputs(path, encoding.shape, encoding=encoding)[:, levels].any()
    new.drop("mass", "day").write_csv(path)
    assert "lacks the columns day, mass that" in refusal(load_inputs, path, encoding.shape, encoding=encoding)
    new.with_columns(pl.lit(1).alias("foo")).write_csv(path)
    assert "has the column 'foo' that the model was not" in refusal(
        load_inputs, path, encoding.shape, encoding=encoding
    )
    assert load_inputs(path, encoding.shape, encoding=encoding, keep=["foo"]).shape == (N, encoding.shape[0])
    new.with_columns(pl.lit("much").alias("mass")).write_csv(path)
    assert "but it was a number in training" in refusal(load_inputs, path, encoding.shape, encoding=encoding)


def test_large_numbers_keep_what_tells_them_apart(tmp_path):
    t = 1_700_000_000_000 + np.arange(400) * 7
    data = load_rows(tmp_path, pl.DataFrame({"t": t, "species": np.arange(400) % 2}), kinds={"t": "number"})
    assert len(np.unique(data.x_train)) == 320
    assert abs(data.x_train.std() - 1) < 1e-3


def test_columns_can_be_chosen_dropped_and_taken_as_another_kind(tmp_path, rows, refusal):
    assert load_rows(tmp_path, rows, columns=["mass", "day"]).columns == ("day", "mass")
    assert "mass" not in load_rows(tmp_path, rows, drop=["mass"]).columns
    data = load_rows(tmp_path, rows.with_columns(zip=pl.col("count") % 3), kinds={"zip": "category"})
    assert {"zip=0", "zip=1", "zip=2"} <= set(data.features)
    assert "has no column 'hue'; --drop takes" in refusal(load_rows, tmp_path, rows, drop=["hue"])
    assert "the kinds are number, category" in refusal(load_rows, tmp_path, rows, kinds={"mass": "colour"})


@pytest.mark.parametrize("delimiter", [",", "|"])
@pytest.mark.parametrize("part", [1, 2, 5, 64, 1 << 20])
def test_a_category_keeps_its_leading_zeros(tmp_path, delimiter, part, monkeypatch):
    monkeypatch.setattr("nograd.data.read.delimited._PART", part)  # wherever the parts begin that are looked through
    rows = [("a", 1.5, "2139", 8), ("b", 2.5, "02139", 7), ("a", 3.5, "00501", 9)] * 10
    lines = [("y", "x", " zip", "n"), *rows]
    (tmp_path / "t.csv").write_text("\n".join(delimiter.join(map(str, row)) for row in lines))
    category = load(tmp_path / "t.csv", label="y", kinds={"zip": "category"}, drop=("n",))
    assert {"zip=00501", "zip=02139", "zip=2139"} <= set(category.features)
    assert "zip" in load(tmp_path / "t.csv", label="y").features  # a number otherwise


@pytest.mark.parametrize("problem", ["auto", "classification"])
@pytest.mark.parametrize("drop", [(), ("n",)])
def test_classes_that_differ_in_leading_zeros_are_two(tmp_path, problem, drop):
    rows = [(" 003", 1.5, 8), ("3", 2.5, 7), ("NA", 3.5, 9), ("010", 4.5, 9)] * 10
    path = tmp_path / "t.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in [("y", "x", "n"), *rows]))
    data = load(path, label="y", problem=problem, drop=drop)
    assert data.target.classes == ("003", "3", "010")
    record = {"encoding": data.encoding.to_json(), "target": data.target.to_json()}
    scored, labels = labelled_examples(record, TrainConfig(problem=problem), path)
    assert len(scored) == 30
    assert labels[:3].tolist() == [0, 1, 2]


def test_many_numbers_with_leading_zeros_are_measured(tmp_path):
    lines = ["y,x", *(f"{7 * k:04d},{k}" for k in range(40))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    assert load(tmp_path / "t.csv", label="y").target.problem == "regression"


@pytest.mark.parametrize("split", ["auto", "random", "time:day", "group:island"])
def test_splits_deal_every_row_once(tmp_path, rows, split):
    data = load_rows(tmp_path, rows.with_columns(pl.col("island").fill_null("Other")), split=split)
    assert sorted(np.concatenate(data.rows).tolist()) == list(range(N))
    if split == "auto":
        counts = [np.bincount(y, minlength=3) / len(y) for y in (data.y_train, data.y_val, data.y_test)]
        assert np.abs(counts[0] - counts[2]).max() < 0.1
    if split == "time:day":
        days = rows["day"].to_numpy()
        assert max(days[data.rows[0]]) < min(days[data.rows[1]]) <= max(days[data.rows[1]]) < min(days[data.rows[2]])
    if split == "group:island":
        islands = [set(rows["island"].fill_null("Other").to_numpy()[part]) for part in data.rows]
        assert islands[0].isdisjoint(islands[1] | islands[2])
        assert islands[1].isdisjoint(islands[2])
        assert "island" not in data.columns


def test_rare_classes_are_for_training_and_said(tmp_path, rows):
    rare = rows.with_columns(species=pl.when(pl.int_range(N) == 5).then(pl.lit("Emperor")).otherwise("species"))
    data = load_rows(tmp_path, rare)
    assert "rare classes, with fewer than 3 examples: Emperor (1)" in data.remarks
    assert (data.y_train == data.class_names.index("Emperor")).sum() == 1


@pytest.mark.parametrize(
    ("label", "problem", "outputs"),
    [("count", "regression", 1), ("count,mass", "regression", 2), ("ringed", "classification", 2)],
)
def test_problems_are_found(tmp_path, rows, label, problem, outputs):
    rows.write_csv(tmp_path / "rows.csv")
    data = validate(load(tmp_path / "rows.csv", label=label))
    assert (data.problem, data.classes) == (problem, outputs)


@pytest.mark.parametrize("name", ["iris", "wine", "diabetes", "linnerud", "breast_cancer"])
def test_sets_of_scikit_learn(name):
    assert validate(load(name)).name == name
