"""What a new user types first: each ends with a result, on files as they come."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from sklearn import datasets

from nograd.cli.main import main

QUICK = ("--model", "mlp:4", "--population", "8", "--generations", "2", "--engine", "inline")
ROWS = 60
RNG = np.random.default_rng(0)
KIND = np.array(["Adelie", "Gentoo", "Chinstrap"])[RNG.integers(0, 3, ROWS)]


def penguins():
    """Text, gaps and numbers, as palmerpenguins has them."""
    island = np.where(RNG.random(ROWS) < 0.5, "Biscoe", "Dream")
    sex = np.array(["male", "female", None], object)[RNG.integers(0, 3, ROWS)]
    mass = np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(4000, 500, ROWS).round())
    return pd.DataFrame(
        {"species": KIND, "island": island, "body_mass_g": mass, "sex": sex, "year": 2007 + RNG.integers(0, 3, ROWS)}
    )


def weather():
    days = pd.date_range("2012-01-01", periods=ROWS).strftime("%Y/%m/%d")
    return pd.DataFrame(
        {"date": days, "wind": RNG.random(ROWS), "weather": np.where(RNG.random(ROWS) < 0.5, "rain", "sun")}
    )


def cars():
    names = [f"car number {i}" for i in range(ROWS)]
    made = pd.date_range("1970-01-01", periods=ROWS).strftime("%Y-%m-%d")
    power = [None if i % 9 == 0 else float(i) for i in range(ROWS)]
    return pd.DataFrame(
        {
            "Name": names,
            "Horsepower": power,
            "Year": made,
            "Origin": np.array(["USA", "Japan"])[RNG.integers(0, 2, ROWS)],
        }
    )


def bundle(name):
    return getattr(datasets, f"load_{name}")(as_frame=True).frame


def labelled(labels):
    return pd.DataFrame({"a": RNG.normal(size=ROWS), "b": RNG.normal(size=ROWS), "label": labels})


def images(folder):
    digits = datasets.load_digits()
    for i, (image, label) in enumerate(zip(digits.images[:80], digits.target[:80] % 2, strict=True)):
        place = folder / "pictures" / f"digit {label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(place / f"{i}.png")


SUNSPOTS = pd.DataFrame({"YEAR": 1700.0 + np.arange(ROWS), "SUNACTIVITY": RNG.random(ROWS).round(1) * 100})
EXERCISE = ",".join(datasets.load_linnerud().target_names)
COMMANDS = {
    "iris.csv": (lambda f: bundle("iris").to_csv(f / "iris.csv", index=False), ["iris.csv"]),
    "wine.csv": (lambda f: bundle("wine").to_csv(f / "wine.csv", index=False), ["wine.csv"]),
    "penguins.csv": (lambda f: penguins().to_csv(f / "p.csv", index=False), ["p.csv", "--label", "species"]),
    "seattle-weather.csv": (lambda f: weather().to_csv(f / "w.csv", index=False), ["w.csv", "--label", "weather"]),
    "diabetes.csv": (lambda f: bundle("diabetes").to_csv(f / "d.csv", index=False), ["d.csv"]),
    "sunspots.csv": (lambda f: SUNSPOTS.to_csv(f / "s.csv", index=False), ["s.csv", "--label", "SUNACTIVITY"]),
    "linnerud.csv": (lambda f: bundle("linnerud").to_csv(f / "l.csv", index=False), ["l.csv", "--label", EXERCISE]),
    "1 to 5": (lambda f: labelled(RNG.integers(1, 6, ROWS)).to_csv(f / "t.csv", index=False), ["t.csv"]),
    "1, 2, 7": (lambda f: labelled(RNG.choice([1, 2, 7], ROWS)).to_csv(f / "t.csv", index=False), ["t.csv"]),
    "true, false": (lambda f: labelled(RNG.random(ROWS) < 0.5).to_csv(f / "t.csv"), ["t.csv"]),
    "yes, no": (lambda f: labelled(np.where(RNG.random(ROWS) < 0.5, "yes", "no")).to_csv(f / "t.csv"), ["t.csv"]),
    "cars.json": (lambda f: cars().to_json(f / "c.json", orient="records"), ["c.json", "--label", "Origin"]),
    ".parquet": (lambda f: pl.from_pandas(penguins()).write_parquet(f / "p.pq"), ["p.pq", "--label", "species"]),
    ".csv.gz": (lambda f: penguins().to_csv(f / "p.csv.gz"), ["p.csv.gz", "--label", "species"]),
    ".tsv": (lambda f: penguins().to_csv(f / "p.tsv", sep="\t"), ["p.tsv", "--label", "species"]),
    ".xlsx": (lambda f: penguins().to_excel(f / "p.xlsx", index=False), ["p.xlsx", "--label", "species"]),
    "pictures": (images, ["pictures"]),
    "a name": (lambda f: None, ["iris"]),
}  # fmt: skip
EVERY_RUN = ("penguins.csv", "linnerud.csv")


@pytest.mark.parametrize(
    "name", [name if name in EVERY_RUN else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
)
def test_it_ends_with_a_result(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    write, arguments = COMMANDS[name]
    write(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments, *QUICK, "--out", "run"])
    assert (ended.value.code, capsys.readouterr().err) == (0, "")
    result = json.loads(Path("run/result.json").read_text())
    assert result["metrics"].keys() == result["baseline"].keys()
    assert all(value is None or np.isfinite(value) for value in result["metrics"].values())
