"""What pages are built of: escaping, tables, the document and its policy, numbers for people."""

import base64
import hashlib
import json
import re

import pytest

from nograd.core.text import byte_count, percent, short, short_time
from nograd.reports.charts import Chart, complete, figure, layer, quantity, values
from nograd.reports.document import document
from nograd.reports.html import Markup, data_block, join, section, tabs, tag
from nograd.reports.tables import Cell, table

EVIL = "<script>alert('x')</script> & \"quotes\""


def test_all_text_is_escaped_and_markup_is_not():
    assert tag("p", EVIL) == "<p>&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;quotes&quot;</p>"
    assert tag("p", tag("b", 1), [None, ["a", 2.5]]) == "<p><b>1</b>a2.5</p>"
    assert tag("a", title=EVIL, class_="x", data_key=0, hidden=True, open=False, id=None) == (
        '<a title="&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;quotes&quot;" class="x" data-key="0" '
        "hidden></a>"
    )
    assert tag("br") == "<br>"
    assert isinstance(join(["a"]), Markup)


def test_a_data_block_cannot_be_left_and_reads_back():
    content = {"text": EVIL + "<!--", "numbers": [1, 2.5, None]}
    block = data_block(content)
    inside = block.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside) == content
    assert "null" in data_block(float("nan"))  # JSON has no NaN


def test_an_empty_section_is_left_out():
    assert section("Title", None, "", []) == ""
    assert section("Title", "text") == "<section><h2>Title</h2>text</section>"


def test_tabs_need_no_script():
    html = tabs("axis", [("one", "first"), ("two", EVIL)])
    assert html.count('type="radio"') == html.count('class="panel"') == 2
    assert html.count(" checked") == 1
    assert "<script" not in html


def test_tables_align_numbers_and_carry_what_they_are_sorted_by():
    rows = [["a", Cell("–", None, number=True)], [EVIL, Cell("1,000", 1000, number=True, mark=True)]]
    html = table(("name", "count"), rows, sortable=True)
    assert "<script" not in html
    assert re.search(r'<td class="number mark" data-key="1000">1,000</td>', html)
    assert 'data-key=""' in html
    assert html.count('class="number"') == 2  # the heading too
    assert "<button" not in table(("name", "count"), rows)


@pytest.fixture(scope="module")
def page() -> str:
    chart = Chart("Chart", {"data": values([{"x": 1, "y": EVIL}]), **layer("point", {"x": quantity("x", EVIL)})})
    return document(EVIL, EVIL, figure(chart), refresh=7)


def test_the_only_script_is_the_one_that_the_policy_names(page):
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#x27;", "'")
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert not re.search(r"<[^>]+ on\w+=", page.replace(scripts[0], ""))


def test_nothing_is_fetched(page):
    for address in re.findall(
        r'(?:src|href|action|data)="([^"]*)"', page.replace(re.findall(r"<script>.*?</script>", page, re.S)[0], "")
    ):
        assert address.startswith("data:"), address
    assert "url(" not in re.search(r"<style>(.*?)</style>", page, re.S)[1]


def test_hostile_text_stays_text(page):
    body = page.replace(re.findall(r"<script>.*?</script>", page, re.S)[0], "")
    assert "alert(" in body
    assert "<script>alert" not in body
    assert body.count("<script type=") == body.count("<script") == 2  # the chart's data and the look of all charts


def test_a_page_reloads_itself_only_where_it_is_told_to(page):
    assert '<meta http-equiv="refresh" content="7">' in page
    assert 'http-equiv="refresh"' not in document("a", "b")


def test_a_picture_takes_the_width_it_is_given_and_the_colours_of_the_page():
    chart = Chart("A <title>", {"data": values([{"x": 1}]), **layer("point", {"x": quantity("x")}, color="var(--ink)")})
    html = figure(chart)
    svg = re.search(r"<svg [^>]*>", html)[0]
    assert 'aria-label="A &lt;title&gt;"' in svg
    assert "height=" not in svg
    assert "viewBox=" in svg
    assert "var(--ink)" in html
    assert complete(chart)["width"] == 480


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (short_time(0.0000123), "12.3 µs"), (short_time(0.00456), "4.56 ms"), (short_time(7.891), "7.89 s"),
        (byte_count(999), "999 B"), (byte_count(1234), "1.23 kB"), (byte_count(5e9), "5 GB"),
        (percent(0.97425), "97.42%"), (percent(None), "–"),
        (short(None), "–"), (short(True), "yes"), (short(12345), "12,345"), (short(0.014), "0.014"), (short("a"), "a"),
    ],
)  # fmt: skip
def test_numbers_are_for_people(text, wanted):
    assert text == wanted
