"""The docs are no harder to read than scikit-learn's user guide; what measures this counts what it says."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEWEST = 100  # words of a page whose grade tells something
THEIRS, THEIR_LENGTH = 11.27, 18.1  # grade and words a sentence of the user guide of scikit-learn 1.7.2


def _script():
    spec = importlib.util.spec_from_file_location("reading_grade", ROOT / "docs" / "reading_grade.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reading = _script()


def test_the_docs_are_no_harder_than_those_of_scikit_learn():
    found = {page: reading.counted(reading.paragraphs(page)) for page in reading.pages(ROOT / "docs")}
    hard = {page.name: prose.grade for page, prose in found.items() if prose.words > FEWEST and prose.grade > THEIRS}
    assert hard == {}
    every = sum(found.values(), reading.Prose())
    assert every.words > 15_000  # it has found the prose
    assert every.words / every.sentences < THEIR_LENGTH
    assert every.grade < THEIRS - 2


@pytest.mark.parametrize(
    ("word", "count"),
    [("make", 1), ("table", 2), ("needed", 2), ("used", 1), ("changes", 2), ("generation", 4), ("the", 1), ("2017", 1)],
)
def test_syllables(word, count):
    assert reading.syllables(word) == count


def test_only_prose_counts(tmp_path):
    markdown, rst = tmp_path / "page.md", tmp_path / "page.rst"
    markdown.write_text(
        "# A heading of several words\n\n"
        "One [link](to/there.md) and `some code`. It is 1. Two\nsentences, e.g. these.\n\n"
        "- an item of five words\n- another item of the list\n\n| a | table with words in it |\n| --- | --- |\n\n"
        "```python\nthis is not prose at all\n```\n"
    )
    rst.write_text(
        "Heading of several words\n========================\n\n"
        "A :class:`~sklearn.svm.SVC` is one ``word`` [1]_. It is so::\n\n"
        "    >>> this is not prose at all\n\n.. figure:: a.png\n   :align: center\n\n   not this caption here\n\n"
        ".. note::\n\n   But this note is prose.\n\n.. rubric:: References\n\n.. [1] Not the list of sources here.\n"
    )
    assert list(reading.paragraphs(markdown)) == [
        "One link and code. It is 1. Two sentences, e.g. these.",
        "an item of five words",
        "another item of the list",
    ]
    assert [" ".join(text.split()) for text in reading.paragraphs(rst)] == [
        "A code is one code . It is so",
        "But this note is prose.",
    ]


def test_the_grade_is_that_of_kincaid():
    """Two sentences of three words, with seven syllables in all."""
    prose = reading.counted(iter(["The cats slept. The happy dog."]))
    assert prose == (2, 6, 7)
    assert prose.grade == pytest.approx(0.39 * 3 + 11.8 * 7 / 6 - 15.59)
