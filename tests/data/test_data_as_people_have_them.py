"""Tables as they come out of other programs: read as they are meant, or refused in one line."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nograd.core.types import DataError
from nograd.data import Dataset, account_lines, load, load_inputs
from nograd.data.frames import frame_table

ROWS = 40
RNG = np.random.default_rng(0)
A = RNG.normal(size=ROWS).round(3)
KIND = np.array(["oak", "elm"])[(A > 0).astype(int)]
FRAME = pl.DataFrame({"a": A, "label": KIND})


def lines(header, rows):
    return "\n".join([header, *rows]) + "\n"


PAIRS = list(zip(A, KIND, strict=True))
CELLS = [f"{a},{kind}" for a, kind in PAIRS]
TEXTS = {
    "excel's line of the delimiter": "sep=;\r\n" + lines("a;label", [cell.replace(",", ";") for cell in CELLS]),
    "r's names of rows": lines('"a" "label"', [f'"row {i}" {a} "{k}"' for i, (a, k) in enumerate(PAIRS)]),
    "pandas' index of text": lines(",a,label", [f"row {i},{cell}" for i, cell in enumerate(CELLS)]),
    "amounts": lines("a,label", [f"${a:.3f},{kind}" for a, kind in PAIRS]).replace("$-", "-$"),
    "lines in quotes": lines("a,text,label", [f'{a},"{i} ""x"",\n{i}",{k}' for i, (a, k) in enumerate(PAIRS)]),
    "words of python as names": lines("a,lambda,label", [f"{a},1,{kind}" for a, kind in PAIRS]),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_text(tmp_path, name, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_text(TEXTS[name])
    data, expected = load(path), Dataset.from_frame(FRAME, "label")
    assert data.features == ("a",)
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(data.y_test, expected.y_test)


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
def test_json_of_pandas(tmp_path, orient):
    pd.DataFrame({"a": A, "label": KIND}).to_json(tmp_path / "t.json", orient=orient, double_precision=15)
    np.testing.assert_array_equal(load(tmp_path / "t.json").x_train, Dataset.from_frame(FRAME, "label").x_train)


def test_json_with_more_around_the_records(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps({"source": "x", "data": FRAME.to_dicts()}))
    np.testing.assert_array_equal(load(tmp_path / "t.json").x_train, Dataset.from_frame(FRAME, "label").x_train)


STYLES = ["%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S+00:00", "%b %d, %Y", "%d %B %Y", "%b-%d-%Y"]


@pytest.mark.parametrize("style", STYLES)
def test_dates(style):
    days = [pd.Timestamp("2019-01-05") + pd.Timedelta(days=17 * i) for i in range(ROWS)]
    text = Dataset.from_frame({"day": [day.strftime(style) for day in days], "label": KIND})
    np.testing.assert_array_equal(text.x_train, Dataset.from_frame({"day": np.array(days), "label": KIND}).x_train)


@pytest.mark.parametrize("style", ["%d/%m/%Y", "%m/%d/%Y"])
def test_a_day_is_told_from_a_month_as_in_training(style):
    """In new cells either could be either."""
    days = [pd.Timestamp("2019-01-05") + pd.Timedelta(days=17 * i) for i in range(ROWS)]
    data = Dataset.from_frame({"day": [day.strftime(style) for day in days], "label": KIND})
    new = [frame_table({"day": [pd.Timestamp("2019-03-04").strftime(form)]}) for form in (style, "%Y-%m-%d")]
    encoding = type(data.encoding).from_json(json.loads(json.dumps(data.encoding.to_json())))
    np.testing.assert_array_equal(*map(encoding.encode, new))


@pytest.mark.parametrize(
    ("labels", "problem", "names"),
    [
        ([1, 2, 3, 4, 5] * 8, "classification", ("1", "2", "3", "4", "5")),
        ([1, 2, 7, 7] * 10, "classification", ("1", "2", "7")),
        ([True, False] * 20, "classification", ("false", "true")),
        (["yes", "no"] * 20, "classification", ("no", "yes")),
        (["2020-01-01", "2021-01-01"] * 20, "classification", ("2020-01-01", "2021-01-01")),
        (list(range(101, 118)) + [101] * 3, "regression", ()),
        (A.tolist(), "regression", ()),
    ],
)
def test_labels(labels, problem, names):
    data = Dataset.from_frame({"a": A[: len(labels)], "label": labels})
    assert (data.problem, data.class_names) == (problem, names)


def test_what_looks_of_no_use_is_better_than_nothing():
    x = np.arange(ROWS)
    assert Dataset.from_frame({"x": x, "label": KIND}).features == ("x",)
    cities = [f"city {i % 15}" for i in range(ROWS)]
    assert len(Dataset.from_frame({"city": cities, "label": KIND}).features) == 15
    assert Dataset.from_frame({"x": x, "a": A, "label": KIND}).features == ("a",)


NUMBERS = [f"{a},{i % 7},{k}" for i, (a, k) in enumerate(PAIRS)]


def test_a_file_without_a_header_is_that_with_one(tmp_path):
    """Its columns have numbers for names; a place in it is that of the file."""
    (tmp_path / "named.csv").write_text(lines("column_1,column_2,column_3", NUMBERS))
    (tmp_path / "plain.data").write_text(lines(*NUMBERS[:1], NUMBERS[1:]))
    named, plain = (load(tmp_path / name, label="column_3") for name in ("named.csv", "plain.data"))
    for part in ("x_train", "y_train", "x_test", "y_test"):
        assert getattr(named, part).tobytes() == getattr(plain, part).tobytes()
    assert plain.remarks == ("no header row: the columns are called column_1 to column_3", *named.remarks)
    (tmp_path / "short.data").write_text(lines(*NUMBERS[:1], [*NUMBERS[1:4], "1,2", *NUMBERS[4:]]))
    with pytest.raises(DataError, match="line 5 has 2 cells"):
        load(tmp_path / "short.data", label="column_3")


YEARS = ["1990,1991", *(f"{i},{i % 3}" for i in range(60))]  # two numbers that rise: names of years, or an example


def test_who_names_columns_by_place_says_that_there_are_no_names(tmp_path):
    """Also where the first line may be names, such as years; the rows to predict may then be as few as one."""
    (tmp_path / "years.csv").write_text("\n".join(YEARS) + "\n")
    (tmp_path / "named.csv").write_text("\n".join(["column_1,column_2", *YEARS]) + "\n")
    with pytest.raises(DataError, match="name the label column by its place: --label column_2"):
        load(tmp_path / "years.csv", label="1991")
    found, named = (load(tmp_path / f"{name}.csv", label="column_2") for name in ("years", "named"))
    assert found.x_train.tobytes() == named.x_train.tobytes()
    assert found.y_test.tobytes() == named.y_test.tobytes()
    (tmp_path / "new.csv").write_text("1990\n1991\n")
    encoded = load_inputs(tmp_path / "new.csv", (1,), (), found.encoding)
    assert encoded.shape == (2, 1)
    (tmp_path / "rest.csv").write_text("1,2\n")
    assert len(load(tmp_path / "years.csv", label="column_2", test=tmp_path / "rest.csv").y_test) == 1


def test_western_text_of_excel_is_read_and_said(tmp_path):
    rows = [f"{a},{('Genève', 'Zürich')[i % 2]},{k}" for i, (a, k) in enumerate(PAIRS)]
    for name, encoding in (("utf.csv", "utf-8"), ("western.csv", "cp1252")):
        (tmp_path / name).write_text(lines("größe,stadt,label", rows), encoding)
    utf, western = load(tmp_path / "utf.csv"), load(tmp_path / "western.csv")
    assert western.features == utf.features == ("größe", "stadt=Genève", "stadt=Zürich")
    assert western.x_train.tobytes() == utf.x_train.tobytes()
    assert western.remarks == ("read as Windows-1252 text, since it is not UTF-8", *utf.remarks)


def test_damaged_utf8_is_not_taken_for_western_text(tmp_path):
    whole = lines("größe,label", [f"{a},{k}" for a, k in PAIRS]).encode()
    (tmp_path / "t.csv").write_bytes(whole.replace(b",oak", b",o\xe4k", 1))
    with pytest.raises(DataError, match=r"not UTF-8 text \(it has byte 0xe4\); save it as UTF-8"):
        load(tmp_path / "t.csv")


REFUSED = {
    "no header row, or one": (lines("5.1,b,label", ["x,2.0,elm"] * 5), "no header row, its first line holds data"),
    "years or data": (lines("1990,1991,1992", ["1,2,0"] * 5), "no header row, its first line is all numbers"),
    "a long row": (lines("a,label", [*CELLS[:3], "1,oak,7", *CELLS[3:]]), "line 5 has 3 cells but the header has 2"),
    "mixed types": (lines("a,label", [*CELLS, "unknown,oak"]), "line 42, column 'a': 'unknown' is not a number"),
    "two columns of one name": (lines("a,a,label", ["1,2,oak"] * 3), "the column 'a' 2 times"),
    "one label in all": (lines("a,label", [f"{a},oak" for a in A]), "every label of FILE is oak"),
    "a class a row": (lines("a,label", [f"{a},k{i}" for i, a in enumerate(A)]), "40 different values in 40 rows"),
    "no label at all": (lines("a,label", [f"{a}," for a in A]), "no row with a label in column 'label'"),
    "hardly a label": (lines("a,label", [f"{a}," for a in A] + CELLS[:1]), "in 1 of 41 rows"),
    "units": (lines("a,label", [f"{a} kg,{k}" for a, k in PAIRS]), "no column to learn from: a (text of many"),
    "100,000 columns": (lines(",".join(f"c{i}" for i in range(100_000)), ["1" + ",1" * 99_999]), "100,000 columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path, name):
    text, words = REFUSED[name]
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError) as told:
        load(path, label="label" if "label" in text.partition("\n")[0] else None)
    message = str(told.value).replace(str(path), "FILE")
    assert words in message
    assert "\n" not in message


def test_files_that_are_cut_off_or_far_too_large(tmp_path):
    whole = gzip.compress(lines("a,label", CELLS).encode())
    (tmp_path / "t.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(DataError, match="cut off"):
        load(tmp_path / "t.csv.gz")
    FRAME.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-30])
    with pytest.raises(DataError, match="cut off"):
        load(tmp_path / "t.parquet")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"a,label\n" + b"0" * 300_000_000, compresslevel=1))
    with pytest.raises(DataError, match="grows from"):
        load(tmp_path / "b.csv.gz")


# Laws ----------------------------------------------------------------------------------------------------


def mixed(rows=60):
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "number": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "word": np.array(["red", "blue", "green"])[rng.integers(0, 3, rows)],
            "day": np.datetime64("2020-01-01") + rng.integers(0, 900, rows).astype("timedelta64[D]"),
            "label": np.array(["oak", "elm"])[rng.integers(0, 2, rows)],
        }
    )


def test_the_encoding_is_learnt_on_the_training_rows_alone():
    frame = mixed()
    data = Dataset.from_frame(frame, "label")
    held_out = np.concatenate(data.rows[1:])
    changed = frame.with_row_index().with_columns(
        pl.when(pl.col("index").is_in(held_out.tolist())).then(pl.lit(1e6)).otherwise("number").alias("number"),
        pl.when(pl.col("index").is_in(held_out.tolist())).then(pl.lit("violet")).otherwise("word").alias("word"),
    )
    other = Dataset.from_frame(changed.drop("index"), "label")
    assert other.encoding == data.encoding
    assert other.target == data.target
    np.testing.assert_array_equal(other.x_train, data.x_train)


def test_the_order_of_rows_and_columns_changes_the_split_alone():
    frame = mixed()
    data = Dataset.from_frame(frame, "label")
    turned = Dataset.from_frame(frame.select(sorted(frame.columns, reverse=True)), "label")
    assert turned.encoding == data.encoding
    np.testing.assert_array_equal(turned.x_test, data.x_test)
    order = np.random.default_rng(2).permutation(len(frame))
    parts = {"val": frame[:6], "test": frame[6:12]}
    rows = [Dataset.from_frame(one, "label", **parts) for one in (frame, frame[order])]
    assert rows[0].encoding == rows[1].encoding
    assert rows[0].target == rows[1].target
    np.testing.assert_array_equal(rows[0].x_train[np.argsort(rows[0].rows[0])][order], by_row(rows[1]))
    np.testing.assert_array_equal(rows[0].x_test, rows[1].x_test)


def by_row(data):
    """The training inputs in the order of the table."""
    return data.x_train[np.argsort(data.rows[0])]


def test_columns_side_by_side_are_those_one_after_the_other(tmp_path, monkeypatch):
    """The same bits, and the same error: that of the first column that is wrong."""
    rows = [f"{a},{i % 5},2020-01-{i % 28 + 1:02},{k}" for i, (a, k) in enumerate(PAIRS)]
    (tmp_path / "t.csv").write_text(lines("a,b,day,label", rows))
    (tmp_path / "wrong.csv").write_text(lines("a,b,day,label", [*rows, "x,y,z,oak"]))
    found, said = [], []
    for long in (1_000_000, 0):
        monkeypatch.setattr("nograd.data.columnwise._LONG", long)
        data = load(tmp_path / "t.csv")
        found.append((data.features, data.x_train.tobytes(), data.x_test.tobytes(), account_lines(data)))
        with pytest.raises(DataError) as told:
            load(tmp_path / "wrong.csv")
        said.append(str(told.value))
    assert found[0] == found[1]
    assert said[0] == said[1]
    assert "column 'a'" in said[0]
