"""Pages in a browser: nothing fetched, nothing wrong in the console, nothing wider than a phone; what a hand can do."""

import json
import re

import numpy as np
import pytest
from chromium import PROGRAM, Browser
from measurements import measurement, synthetic
from studies import make_statistics, make_study

from nograd.reports.compare import compare_page
from nograd.reports.run import run_page
from nograd.reports.speedup import speedup_page
from nograd.reports.study import study_page
from nograd.scaling.figures import spread, strong_figures, weak_figures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium here: apt-get install chromium"),
]

ALL_SEEN = """(async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 400) {
    scrollTo(0, y); await new Promise((resolve) => setTimeout(resolve, 60));
  }
  scrollTo(0, 0);
})()"""
ALIVE = "document.querySelectorAll('.live:not(.pending)').length"
SHOWN = "[...document.querySelectorAll('figure.chart')].filter((f) => f.offsetParent).length"


@pytest.fixture(scope="module")
def pages(trained, tmp_path_factory):
    """The file of each kind of page."""
    from nograd.runs.run import load

    rng, run = np.random.default_rng(0), load(trained)
    work = {"task": "digits", "model": "mlp:32", "perturbation": "dense", "population": 256, "batch": 256}
    work |= {"chunks": 16, "seed": 0, "parameters": 2410, "generations": 40, "cores": 4, "versions": {"jax": "1"}}
    strong = strong_figures(measurement(synthetic(rng, 0.1)), 4)
    weak = weak_figures(measurement(synthetic(rng, 0.1)), [256, 512, 1024, 2048], 4)
    study = make_study(120)
    texts = {
        "run": run_page(run),
        "compare": compare_page([run, run]),
        "speedup": speedup_page(work | spread(5) | {"strong": strong, "weak": weak}, "speedup"),
        "study": study_page(study, make_statistics(study)),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("name", ["run", "compare", "speedup", "study"])
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (360, True)])
def test_a_page_is_whole_and_quiet(pages, name, width, dark):
    with Browser(width, 800, dark) as browser:
        browser.open(pages[name])
        browser.evaluate(ALL_SEEN)
        browser.wait(f"{ALIVE} >= {SHOWN} && {SHOWN} > 0")
        assert browser.problems == []
        assert [address for address in browser.fetched if not address.startswith("data:")] == [pages[name].as_uri()]
        assert browser.evaluate("document.documentElement.scrollWidth") == width
        background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", background))) < 60) == dark
        heights = "[...document.querySelectorAll('.plot svg text')].map((t) => t.getBoundingClientRect().height)"
        assert min(height for height in browser.evaluate(heights) if height) > 8
        assert browser.picture().startswith(b"\x89PNG")
        assert browser.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["run", "study"])
def test_without_scripts_the_pictures_stand(pages, name):
    with Browser(360, 800) as browser:
        browser.open(pages[name], script=False)
        assert browser.problems == []
        still = "[...document.querySelectorAll('figure.chart')].map((f) => f.querySelectorAll('svg path').length)"
        assert min(browser.evaluate(still)) > 0
        assert browser.evaluate("document.documentElement.scrollWidth") == 360
        assert browser.evaluate("document.getElementById('theme').hidden")


def test_tabs_sorting_and_theme(pages):
    with Browser() as browser:
        browser.open(pages["run"])
        shown = "[...document.querySelectorAll('.panel')].map((p) => !!p.offsetParent)"
        assert browser.evaluate(shown) == [True, False, False]
        browser.wait(f"{ALIVE} == 2")
        browser.evaluate("document.querySelectorAll('.tab-labels label')[1].click()")
        assert browser.evaluate(shown) == [False, True, False]
        browser.wait(f"{ALIVE} == 4")  # a chart comes alive when its tab is shown
        browser.evaluate("document.getElementById('theme').click()")
        assert browser.evaluate("document.documentElement.dataset.theme") == "dark"
        assert browser.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        browser.open(pages["study"])
        browser.evaluate(
            "[...document.querySelectorAll('.sortable th')].find((h) => h.innerText.startsWith('lr')).click()"
        )
        column = "[...document.querySelectorAll('.sortable tbody tr')].map((row) => row.cells[2].dataset.key)"
        falling = [float(key) for key in browser.evaluate(column)]
        assert falling == sorted(falling, reverse=True)
        browser.evaluate("document.querySelector('.sortable th[aria-sort]').click()")
        assert [float(key) for key in browser.evaluate(column)] == sorted(falling)
        assert browser.problems == []


def test_a_drag_along_an_axis_chooses_lines(pages):
    with Browser(1200, 1200) as browser:
        browser.open(pages["study"])
        figure = "document.querySelector('figure[data-brush]')"
        browser.evaluate(f"{figure}.scrollIntoView({{block: 'center'}})")
        browser.wait(f"!!{figure}.querySelector('.live:not(.pending) svg')")
        opacities = f"[...{figure}.querySelectorAll('.mark-line path')].map((p) => Number(p.getAttribute('opacity')))"
        lines = browser.evaluate(opacities)
        assert len(lines) > 100
        assert set(lines) == {0.75}
        box = json.loads(browser.evaluate(f"JSON.stringify({figure}.querySelector('svg').getBoundingClientRect())"))
        x, top, height = box["right"] - 6, box["top"], box["height"]
        browser.drag((x, top + 0.20 * height), (x, top + 0.40 * height))  # along the last axis: the value
        chosen = browser.evaluate(opacities)
        assert set(chosen) == {0.75, 0.04}
        assert 0 < chosen.count(0.75) < len(lines)
        browser.evaluate(f"{figure}.querySelector('.live').dispatchEvent(new MouseEvent('dblclick'))")
        assert set(browser.evaluate(opacities)) == {0.75}
        assert browser.problems == []


def test_hostile_names_do_nothing(pages, tmp_path):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    study = make_study(30, name=evil)
    trials = [trial._replace(worker=evil, reason=evil) for trial in study.trials]
    path = tmp_path / "evil.html"
    path.write_text(study_page(study._replace(trials=trials, task=evil), make_statistics(study)), "utf-8")
    with Browser() as browser:
        browser.open(path)
        browser.evaluate(ALL_SEEN)
        browser.wait(f"{ALIVE} == {SHOWN}")
        assert browser.evaluate("document.querySelectorAll('img, script:not([type])').length") == 1
        assert browser.problems == []
        assert browser.fetched == [path.as_uri()]
