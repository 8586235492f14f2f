"""`nograd report`: what a path is, what is compared, what goes wrong, and watching."""

import json
import re
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from measurements import measurement, synthetic

import nograd as ng
from nograd.cli.main import main
from nograd.core.types import NogradError, RunError
from nograd.reports import browser
from nograd.reports import write as command
from nograd.reports.compare import compare_page, differing, labels
from nograd.reports.speedup import _PANELS, chart, speedup_page
from nograd.reports.subject import subject
from nograd.runs.files import write_atomically
from nograd.runs.run import load
from nograd.scaling.figures import spread, strong_figures, weak_figures

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def nograd(capsys, tmp_path, monkeypatch):
    """Runs `nograd report` in an empty folder; returns (code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["report", *map(str, arguments)])
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def figures():
    """What speedup.json holds, of synthetic times on 4 cores."""
    rng = np.random.default_rng(0)
    work = {"task": "digits", "model": "mlp:32", "perturbation": "dense", "population": 256, "batch": 256}
    work |= {"chunks": 16, "seed": 0, "parameters": 2410, "generations": 40, "cores": 4, "versions": {"jax": "1"}}
    strong = strong_figures(measurement(synthetic(rng, 0.1)), 4)
    weak = weak_figures(measurement(synthetic(rng, 0.1)), [256, 512, 1024, 2048], 4)
    return work | spread(5) | {"strong": strong, "weak": weak}


def test_one_run(nograd, run):
    assert nograd(run.path) == (0, f"page: {run.path}/report.html\n", "")
    assert nograd(run.path, "-o", "page.html")[1] == "page: page.html\n"
    before = Path("page.html").read_text("utf-8")
    Path("page.html").write_text("old")
    assert nograd(run.path, "--out", "page.html")[0] == 0
    assert Path("page.html").read_text("utf-8") == before
    assert not list(Path().glob("*.tmp")) + list(Path().glob(".*.tmp"))


def test_several_runs_are_compared(nograd, run, tmp_path):
    other = load(shutil.copytree(run.path, tmp_path / "b"))
    config = other.config
    config["settings"] |= {"lr": 0.5, "label": "<script>alert(1)</script>"}
    (other.path / "config.json").write_text(json.dumps(config))
    assert nograd("a", "b")[1] == "page: report.html\n"
    page = Path("report.html").read_text("utf-8")
    assert "2 runs compared" in page
    differences = page[page.index("Settings that differ") :]
    assert re.search(r'<td>lr</td><td>0.02</td><td class="mark">0.5</td>', differences)
    assert "<td>batch</td>" not in differences
    assert "<script>alert" not in page
    assert "All runs have the same data" in page


def test_runs_that_are_the_same_or_have_other_data(run, tmp_path):
    assert "All settings are the same" in compare_page([run, run])
    other = load(shutil.copytree(run.path, tmp_path / "c"))
    config = other.config
    config["data"]["checksum"] = "f" * 64
    (other.path / "config.json").write_text(json.dumps(config))
    (other.path / "result.json").unlink()
    page = compare_page([run, other], refresh=5)
    assert "different data" in page
    assert 'http-equiv="refresh"' in page


def test_labels_are_unique_and_short():
    assert labels([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert labels([Path("x/a"), Path("y/a"), Path("b")]) == ["x/a", "y/a", "b"]
    assert labels([Path("a"), Path("a")]) == ["a (1)", "a (2)"]
    assert differing([{"a": 1, "b": 2}, {"a": 1, "b": 3}]) == ["b"]


def test_a_speedup_by_its_folder_and_its_file(nograd, figures):
    Path("s").mkdir()
    Path("s/speedup.json").write_text(json.dumps(figures))
    assert nograd("s")[1] == "page: s/report.html\n"
    assert nograd("s/speedup.json", "-o", "other.html")[0] == 0
    page = Path("other.html").read_text("utf-8")
    assert page == Path("s/report.html").read_text("utf-8")
    for words in ("Strong scaling", "PROJECTION", "NOT measured", "serial fraction", "Weak scaling", "oversubscribed"):
        assert words in page
    table = page[page.index("Strong scaling") :]
    assert re.search(r'<td class="number">8\*</td>', table)


def test_a_speedup_without_weak_scaling_or_a_fit(figures):
    rng = np.random.default_rng(0)
    alone = strong_figures(measurement(synthetic(rng, 0.1)), 1)
    page = speedup_page(figures | {"cores": 1, "weak": None, "strong": alone}, "<b>")
    assert "not fitted" in page
    assert "work grows" not in page
    assert "&lt;b&gt;" in page


@pytest.mark.parametrize(
    ("low", "high", "cores"), [(10.0, 15.0, "1,440"), (0.5, 1440.0, "16"), (None, 1440.0, "16"), (3.0, None, "16")]
)
def test_a_projection_is_a_key_figure_only_if_its_interval_tells_something(figures, low, high, cores):
    *_, middle, far = figures["strong"]["projection"]
    middle["speedup"] |= {"low": 8.0, "high": 9.0}
    far["speedup"] |= {"low": low, "high": high}
    cards = speedup_page(figures, "s").partition("Scaling")[0]
    assert re.findall(r"projection to ([\d,]+) cores", cards) == [cores]


def test_an_uncertain_fit_does_not_hide_the_measured(figures):
    fit = figures["strong"]["amdahl"] | {"standard_error": None}  # JSON's word for one that is not known
    figures["strong"] |= {"amdahl": fit}
    for panel in _PANELS:
        spec = chart(figures, panel).spec
        json.dumps(spec, allow_nan=False)
        measured = max(point["high"] for point in spec["data"]["values"])
        drawn = [line["high"] for line in spec["layer"][0]["data"]["values"]]
        assert max(drawn) < 10 * measured


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["name a run"]),
        (["nowhere"], ["nowhere does not exist"]),
        (["a", "-o", "missing/page.html"], ["missing", "does not exist"]),
        (["a", "-o", "empty"], ["empty is a folder", "empty/report.html"]),
        (["a", "empty"], ["empty is not a run directory", "only runs are compared"]),
        (["bad/speedup.json"], ["bad/speedup.json", "nograd speedup wrote"]),
        (["broken"], ["config.json", "not a run that nograd wrote"]),
        (["a", "--opne"], ["did you mean --open"]),
    ],
)
def test_a_mistake_is_one_line(nograd, run, arguments, words):
    for folder in ("empty", "bad", "broken"):
        Path(folder).mkdir()
    Path("bad/speedup.json").write_text('{"strong": {"rows": []}}')
    Path("broken/config.json").write_text("{")
    code, _, error = nograd(*arguments)
    assert code == 2
    assert error.startswith("nograd: ")
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def test_a_folder_of_something_else_is_one_line(nograd, tmp_path):
    pytest.importorskip("nograd.tuning.study.read")
    Path("empty").mkdir()
    code, _, error = nograd("empty")
    assert code == 2
    assert "holds no run (config.json), no study (study.json) and no speedup" in error


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root may write to")
def test_a_page_that_cannot_be_written_is_one_line(nograd, run):
    code, _, error = nograd(run.path, "-o", "/proc/self/page.html")
    assert code == 2
    assert error.count("\n") == 1
    assert "cannot write the page /proc/self/page.html" in error


def test_the_missing_library_is_one_line_with_the_remedy(nograd, run, monkeypatch):
    monkeypatch.setattr("nograd.reports.charts.find_spec", lambda name: None)
    assert "pip install 'nograd[report]'" in nograd(run.path)[2]


def test_the_script_of_the_charts_is_kept(monkeypatch, tmp_path):
    import vl_convert

    from nograd.reports.charts import library

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda **_: calls.append(1) or "bundle")
    for _ in range(2):
        library.cache_clear()
        assert library() == "bundle"
    assert calls == [1]
    library.cache_clear()


# Watching ------------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_watched(nograd, run):
    assert nograd(run.path, "--watch") == (0, f"page: {run.path}/report.html\n", "")
    assert 'http-equiv="refresh"' not in (run.path / "report.html").read_text("utf-8")


def test_a_page_is_written_with_each_change_until_the_end(run, monkeypatch):
    monkeypatch.setattr(command, "_LOOK", 0.01)
    monkeypatch.setattr(command, "_PAUSE", 0)
    result = (run.path / "result.json").read_text()
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    (run.path / "result.json").unlink()
    (run.path / "metrics.jsonl").write_text("\n".join(lines[:2]) + "\n")
    held, told, page = [], [], run.path / "report.html"
    watching = threading.Thread(target=command.watch, args=(subject([run.path]), page, told.append))
    watching.start()

    def shows(words: str) -> None:
        end = time.monotonic() + 30
        while not (page.is_file() and words in page.read_text("utf-8")):
            assert time.monotonic() < end, words
            time.sleep(0.02)
        held.append(page.open(encoding="utf-8"))

    shows(">2</div>")
    assert 'http-equiv="refresh"' in page.read_text("utf-8")
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(lines[2] + "\n")
    shows(">3</div>")
    (run.path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    write_atomically(run.path / "result.json", result.encode())  # as a training does
    shows("all generations done")
    watching.join(timeout=30)
    assert not watching.is_alive()
    for file, words in zip(held, (">2</div>", ">3</div>", "all generations done"), strict=True):
        with file:  # each page is a new file: who has an older one open still reads that, whole
            assert words in file.read()
    assert 'http-equiv="refresh"' not in page.read_text("utf-8")
    assert len(told) == 1


def test_ctrl_c_ends_the_watch_without_an_error(nograd, run, monkeypatch):
    (run.path / "result.json").unlink()

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupt)
    code, out, error = nograd(run.path, "--watch")
    assert (code, error) == (0, "")
    assert "no longer watched" in out
    assert (run.path / "report.html").is_file()


# The browser ---------------------------------------------------------------------------------------------


def test_where_no_browser_can_be_opened_one_line_says_so(nograd, run, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    code, out, error = nograd(run.path, "--open")
    assert (code, error) == (0, "")
    assert out.splitlines()[1].startswith("no browser can be opened here; the page is ")


def test_the_page_is_opened_by_its_address(nograd, run, monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(browser.webbrowser, "open", lambda address: opened.append(address) or True)
    assert nograd(run.path, "--open")[1].count("\n") == 1
    assert opened == [(run.path / "report.html").resolve().as_uri()]


def test_the_public_name_is_a_function_even_where_its_package_is_loaded(run):
    assert ng.report(run.path).samefile(run.path / "report.html")
    assert callable(ng.report)
    with pytest.raises(RunError):
        ng.report(run.path / "nowhere")
    with pytest.raises(NogradError):
        ng.report()
