"""Small trainings whose pages are looked at; they are made once."""

import shutil

import pytest

import nograd as ng
from nograd.runs.run import Run, load

QUICK = {"model": "mlp:4", "population": 8, "batch": 16, "generations": 6, "eval_every": 2, "engine": "inline"}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The directory of a finished training on the digits, for copies."""
    return ng.train("digits", **QUICK, out=tmp_path_factory.mktemp("runs") / "a").path


@pytest.fixture
def run(trained, tmp_path) -> Run:
    """A copy of it that a test may change."""
    return load(shutil.copytree(trained, tmp_path / "a"))
