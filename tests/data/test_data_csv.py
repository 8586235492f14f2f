import numpy as np
import pytest

from nograd.data import checksum, load_csv
from nograd.data.columns import canonical
from nograd.data.read.delimited import read_delimited

HEADER = "length,width,label"
ROWS = [f"{i}.5,{i * i},{i % 3}" for i in range(30)]


@pytest.fixture
def write(tmp_path):
    def write(*lines, encoding="utf-8", end="\n"):
        path = tmp_path / "t.csv"
        path.write_bytes((end.join(lines) + end).encode(encoding))
        return path

    return write


def test_a_table_becomes_a_data_set(write):
    data = load_csv(write(HEADER, *ROWS), standardize="none")
    assert (data.name, data.classes, data.columns) == ("t", 3, ("length", "width"))
    assert [len(y) for y in (data.y_train, data.y_val, data.y_test)] == [24, 3, 3]
    assert (data.x_train.dtype, data.y_train.dtype) == (np.float32, np.int32)
    x = np.concatenate([data.x_train, data.x_val, data.x_test])
    y = np.concatenate([data.y_train, data.y_val, data.y_test])
    found = sorted(zip(x[:, 0].tolist(), x[:, 1].tolist(), y.tolist(), strict=True))
    assert found == [(i + 0.5, i * i, i % 3) for i in range(30)]
    assert data.note.endswith("t.csv: 24 training, 3 validation and 3 test examples")


def test_features_are_standardized_unless_told_not_to(write):
    path = write(HEADER, *ROWS)
    for choice in ("auto", "standard"):
        data = load_csv(path, standardize=choice)
        z = (data.x_train - data.offset) * data.scale
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-5)
    data = load_csv(path, standardize="none")
    assert (float(data.offset), float(data.scale)) == (0, 1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_dialects_read_alike(write, delimiter, end, encoding):
    expected = checksum(load_csv(write(HEADER, *ROWS)))
    lines = [line.replace(",", delimiter) for line in (HEADER, *ROWS)]
    assert checksum(load_csv(write(*lines, encoding=encoding, end=end))) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: ["", *lines[:5], "", *lines[5:], "", ""],
        lambda lines: [line.replace(",", " , ") for line in lines],
        lambda lines: [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines],
        lambda lines: ['"length",width,"label"', *lines[1:]],
    ],
    ids=["blank lines", "spaces", "quotes", "quoted header"],
)
def test_harmless_variations_read_alike(write, change):
    expected = checksum(load_csv(write(HEADER, *ROWS)))
    assert checksum(load_csv(write(*change([HEADER, *ROWS])))) == expected


def test_quoted_names_may_hold_the_delimiter_and_line_breaks(write):
    data = load_csv(write('"length; of\nall, in cm";width;label', *(row.replace(",", ";") for row in ROWS)))
    assert data.columns == ("length; of\nall, in cm", "width")


@pytest.mark.parametrize("name", ["label", "Target", "CLASS", "y"])
def test_the_label_column_is_known_by_its_usual_names(write, name):
    assert load_csv(write(f"a,{name},b", "1,0,2", "3,1,4", "5,0,6")).columns == ("a", "b")


def test_the_label_column_can_be_named(write):
    path = write("kind,y,b", "0,0.5,2", "1,1.5,4", "0,2.5,6")
    data = load_csv(path, label="kind")
    assert data.columns == ("b", "y")  # by name: their order in the file is of no account


def test_whole_numbers_with_a_point_are_labels(write):
    assert load_csv(write("a,y", "1,0.0", "2,1.0", "3,1e0")).classes == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([""], "FILE is empty; give a header row"),
        (
            ["1,2,3", "4,5,6"],
            "FILE has no header row, its first line is all numbers (1, 2, 3); add a line of",
        ),
        ([HEADER], "FILE has a header but no rows; add one row an example"),
        (["a,b,a,y", "1,2,3,0"], "the header of FILE has the column 'a' 2 times; rename or drop"),
        (
            [",a,y", "0,2,0"],
            "column 1 in the header of FILE has no name; name it, or write the file without its row",
        ),
        (["a,b", "1,0"], "FILE: no column is named like a label; pass --label NAME with one of a, b"),
        (
            ["a,y,Class", "1,0,0"],
            "FILE: columns y and Class may all be labels; pass --label NAME with one of a, y, C",
        ),
        (["y", "1", "0"], "FILE has no column but the label 'y'; add at least one column of features"),
        (
            [HEADER, "1,2,0", "1,2", "1,2,0"],
            "FILE line 3 has 2 cells but the header has 3; give every row one cell",
        ),
        (
            [HEADER, "1,2,0", "1,2,0,", "1,2,0"],
            "FILE line 3 has 4 cells but the header has 3; give every row one",
        ),
        ([HEADER, "1,2,0,", "1,2,0,"], "FILE line 2 has 4 cells but the header has 3"),
        (
            [HEADER, "1,2,0", "", "1,red,0"],
            "FILE line 4, column 'width': 'red' is not a number; encode text as",
        ),
        ([HEADER, "1,2,0", "1,1_000,0"], "FILE line 3, column 'width': '1_000' is not a number"),
        ([HEADER, "1,2,0", "#1,2,0"], "FILE line 3, column 'length': '#1' is not a number"),
        (
            [HEADER, "1,2,0", "1,inf,0"],
            "FILE line 3, column 'width': 'inf' is not finite; clean or drop the row",
        ),
        ([HEADER, "1,2,0", "1,-Infinity,0"], "FILE line 3, column 'width': '-Infinity' is not finite"),
        ([HEADER, "1,2,", "1,2,NA"], "FILE has no row with a label in column 'label'; fill it in"),
        ([HEADER, "1,2,0", "1,2,1"], "FILE has 2 examples, too few to split into 3 parts; give at least 3"),
        ([HEADER, *["1,2,0"] * 9], "every label of FILE is 0 (column 'label'); classification needs at least two"),
        ([HEADER, *(f"1,2,k{i}" for i in range(9))], "the label 'label' of FILE has 9 different values in 9 rows"),
        (
            ["a,b,y", '"1,500",2,0', '"1,501",2,1'],
            "FILE line 2, column 'a': '1,500' can be 1500 or 1.5; write the column's numbers without commas",
        ),
        (
            ["d,b,y", *["2012-01-01,2,0"] * 3, "yesterday,2,0"],
            "FILE line 5, column 'd': 'yesterday' is not a date as the others are; correct it",
        ),
    ],
)
def test_tables_that_cannot_be(write, refusal, lines, words):
    path = write(*lines)
    assert refusal(load_csv, path).startswith(words.replace("FILE", str(path)))


@pytest.mark.parametrize("cell", ["", " ", "NA", "nan", "NaN", "n/a", "null", "None", "?"])
def test_missing_values_are_filled_and_marked(write, cell):
    data = load_csv(write(HEADER, *[f"1,{cell},0"] * 20, *ROWS))
    assert data.features == ("length", "width", "width missing")
    # Filled with the median of the training rows that have a value.
    fill = data.encoding.columns[1].fill
    (filled,) = {row[1] for row in data.x_train[data.x_train[:, 2] == 1].tolist()}
    scale = data.encoding.columns[1].scale
    assert filled == np.float32((fill - scale.offset) * scale.factor)


def test_rows_without_a_label_are_left_out_and_counted(write):
    data = load_csv(write(HEADER, *ROWS, "1,2,", "3,4,NA"))
    assert "2 rows without a label left out" in data.remarks
    assert len(data.x_train) + len(data.x_val) + len(data.x_test) == 30


def test_a_long_cell_with_line_breaks_is_shown_on_one_short_line(write, refusal):
    message = refusal(load_csv, write(HEADER, *ROWS, '1,"' + "word\n" * 500 + '",0'))
    assert "'word word word" in message
    assert len(message) < 400


def test_an_unknown_label_lists_the_columns(write, refusal):
    path = write(HEADER, *ROWS)
    message = refusal(load_csv, path, label="kind")
    assert message == f"{path} has no column 'kind'; pass --label NAME with one of length, width, label"
    many = write(",".join(f"c{i}" for i in range(100)), ",".join("1" * 100))
    assert refusal(load_csv, many).endswith("c10, c11 … (100 in all)")


def test_text_that_is_neither_utf8_nor_western(write, refusal):
    path = write("gr\x81\xf6\xdfe,y", "1,0", encoding="latin-1")
    assert refusal(load_csv, path) == f"{path} is not UTF-8 text (it has byte 0x81); save it as UTF-8"
    late = write("a,y", *["1,0"] * 9000, "\xe9\x81,1", encoding="latin-1")
    assert "(it has byte 0xe9)" in refusal(load_csv, late)


def test_files_that_cannot_be_opened(tmp_path, refusal):
    assert "a.csv (No such file or directory); check path" in refusal(load_csv, tmp_path / "a.csv")
    assert "(Is a directory); check path" in refusal(load_csv, tmp_path)


def test_a_field_without_end_is_one_line(write, refusal):
    path = write(HEADER, '1,"2,0', *["1,2,0"] * 30_000)
    assert f"{path} is not CSV (field larger than field limit" in refusal(load_csv, path)


def test_numbers_are_read_to_the_last_bit(write):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 3)) * 10.0 ** rng.integers(-30, 30, (200, 3))
    lines = ["a,b,c", *(",".join(repr(float(v)) for v in row) for row in values)]
    typed = read_delimited(write(*lines)).frame
    np.testing.assert_array_equal(typed.to_numpy(), values)
    # A column is text to the reader where spaces surround its numbers.
    text = canonical(read_delimited(write(*(line.replace(",", " , ") for line in lines))), {})[0]
    np.testing.assert_array_equal(text.to_numpy(), values)
