"""What is said of a table whose scores would mislead: it trains, and a line says what is wrong."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nograd.core.types import DataError
from nograd.data import Dataset
from nograd.data.read.delimited import read_delimited

SIZE = 120


def remarks(frame: pl.DataFrame, **options: object) -> str:
    return "\n".join(Dataset.from_frame(frame, "label", **options).remarks)  # type: ignore[arg-type]


@pytest.fixture
def clean() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SIZE, 2))
    label = np.where(x.sum(axis=1) > 0, "yes", "no")
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "colour": rng.choice(["red", "blue"], SIZE), "label": label})


def test_nothing_is_said_of_a_clean_table(clean: pl.DataFrame) -> None:
    assert remarks(clean) == ""


@pytest.mark.parametrize("label", ["label", "a"])
@pytest.mark.parametrize("times", [4, 10])
def test_copies_of_training_rows_in_the_test_are_counted(clean: pl.DataFrame, times: int, label: str) -> None:
    found = Dataset.from_frame(pl.concat([clean] * times), label)
    train = {(*x.tolist(), *np.atleast_1d(y).tolist()) for x, y in zip(found.x_train, found.y_train, strict=True)}
    test = [(*x.tolist(), *np.atleast_1d(y).tolist()) for x, y in zip(found.x_test, found.y_test, strict=True)]
    copies = sum(row in train for row in test)
    assert any(f"{copies} of {len(test)} test examples equal a training example" in line for line in found.remarks)


def test_rows_of_categories_alone_are_equal_by_chance(clean: pl.DataFrame) -> None:
    assert remarks(clean.select("colour", "label")) == ""


def test_groups_that_are_kept_together_leave_no_copies(clean: pl.DataFrame) -> None:
    frame = pl.concat([clean.with_columns(pl.Series("person", [f"p{i}" for i in range(SIZE)]))] * 4)
    assert "training example" not in remarks(frame, split="group:person")


def test_features_without_any_difference(clean: pl.DataFrame) -> None:
    assert "the same features" in remarks(clean.select(a=pl.lit(1.0), b=pl.lit(2.0), label="label"))


def test_one_class_written_in_two_ways(clean: pl.DataFrame) -> None:
    written = [f"{word.upper() if i % 2 else word}" for i, word in enumerate(clean["label"])]
    said = remarks(clean.with_columns(pl.Series("label", written)))
    assert "NO and no, YES and yes" in said


def test_text_among_several_labels_is_to_be_the_only_one(clean: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="not a number; give numbers, or name 'label' as the only --label"):
        Dataset.from_frame(clean, ["a", "label"])
    found = Dataset.from_frame(clean, "label")
    assert found.problem == "classification"


def test_text_for_numbers_among_new_examples_is_refused(clean: pl.DataFrame) -> None:
    found = Dataset.from_frame(clean, "a")
    assert found.target is not None
    with pytest.raises(DataError, match="'x', not a number; give numbers, or leave out its rows"):
        found.target.encode_known([pl.Series("a", ["x"])], "new.csv")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["1,2,x", ",,", "3,4,y", "", "5,6,x"], ("rows without any content, left out: 2",)),
        (["1,2,x", "3,4,y", "5,6,x", ",,", ""], ()),  # what a spreadsheet leaves below a table
    ],
)
def test_empty_rows_between_others_are_counted(tmp_path: Path, rows: list[str], said: tuple[str, ...]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["a,b,label", *rows]) + "\n")
    table = read_delimited(path)
    assert table.frame.height == 3
    assert table.remarks == said
