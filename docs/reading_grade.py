"""How hard the prose of the docs is to read, as a school grade: python docs/reading_grade.py [FOLDER …]

The grade is that of Kincaid et al. 1975: 0.39 words/sentences + 11.8 syllables/words − 15.59. Only prose counts. Code,
tables, headings, figures, formulas, lists of sources and what a shell prints are left out; a word in code, such as
`nograd.train`, is one word of one syllable. A folder may hold Markdown (.md) or reStructuredText (.rst), so that the
user guide of another library is measured in the same way.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
LEAST = 4  # words of a paragraph; a shorter one is a label, not a sentence
ITEM = re.compile(r"^(?:[-*+]|\d+[.)]|\(?[a-z]\)|#\.)\s+")  # how an item of a list begins
SILENT = re.compile(r"[^aeiouy]e(?:'?s|d)?$")  # make, makes, used
SPOKEN = re.compile(r"(?:[^aeiouy]le|[td]ed|(?:[cgszx]|ch|sh)es)$")  # table, needed, changes
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|cf|vs|et al|etc|resp|approx|Fig|Eq|No|St|Dr|[A-Z])\.(?=\W)")


class Prose(NamedTuple):
    """What was counted in some text."""

    sentences: int = 0
    words: int = 0
    syllables: int = 0

    def __add__(self, other: "Prose") -> "Prose":  # type: ignore[override]
        return Prose(*(one + another for one, another in zip(self, other, strict=True)))

    @property
    def grade(self) -> float:
        """Kincaid's grade: the year of school after which the text is understood."""
        return 0.39 * self.words / self.sentences + 11.8 * self.syllables / self.words - 15.59


def main() -> None:
    """Prints the grade of each page, the hardest last, and of all of them together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[FOLDER], help="default: the docs of nograd")
    for folder in parser.parse_args().folders:
        found = {page: counted(paragraphs(page)) for page in pages(folder)}
        for page, prose in sorted((pair for pair in found.items() if pair[1].words), key=lambda pair: pair[1].grade):
            print(line(str(page.relative_to(folder)), prose))
        print(line(f"{len(found)} pages of {folder}", sum(found.values(), Prose())), end="\n\n")


def line(name: str, prose: Prose) -> str:
    """A line of the table."""
    return f"{prose.grade:6.2f}  {prose.words / prose.sentences:5.1f} words a sentence  {prose.words:7,} words  {name}"


def pages(folder: Path) -> list[Path]:
    """The pages below a folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix in (".md", ".rst"))


def counted(texts: Iterator[str]) -> Prose:
    """The sentences, words and syllables of paragraphs."""
    total = Prose()
    for text in texts:
        for sentence in sentences(text):
            words = re.findall(r"[A-Za-zÀ-ÿ]+(?:['’\-][A-Za-zÀ-ÿ]+)*|\d[\d,.]*", sentence)
            total += Prose(bool(words), len(words), sum(map(syllables, words)))
    return total


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph."""
    text = ABBREVIATION.sub(lambda found: found[0].replace(".", ""), text)
    return re.split(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-ZÀ-Ý\d])", text)


def syllables(word: str) -> int:
    """About how many syllables a word has: its groups of vowels, without a silent e at the end; a number has one."""
    word = word.lower().replace("’", "'")
    if word[0].isdigit():
        return 1
    groups = len(re.findall(r"[aeiouyà-ÿ]+", word))
    silent = SILENT.search(word) and not SPOKEN.search(word)
    return max(1, groups - bool(silent))


# From a page to its paragraphs ---------------------------------------------------------------------------------


def paragraphs(page: Path) -> Iterator[str]:
    """The paragraphs and items of lists of a page, without marks."""
    text = page.read_text("utf-8")
    blocks, plain = (_markdown(text), _plain_markdown) if page.suffix == ".md" else (_rst(text), _plain_rst)
    for block in blocks:
        said = plain(block)
        if len(re.findall(r"[A-Za-z]{2,}", said)) >= LEAST:
            yield said


def _items(lines: list[str]) -> Iterator[str]:
    """A block of lines as one paragraph, or as one for each item of its list."""
    kept: list[str] = []
    listed = bool(lines) and ITEM.match(lines[0].strip())
    for one in lines:
        if kept and listed and ITEM.match(one.strip()):
            yield " ".join(kept)
            kept = []
        kept.append(ITEM.sub("", one.strip(), count=1) if not kept else one.strip())
    if kept:
        yield " ".join(kept)


def _blocks(text: str) -> Iterator[list[str]]:
    """What lies between blank lines."""
    for block in re.split(r"\n\s*\n", text):
        if lines := [one for one in block.splitlines() if one.strip()]:
            yield lines


def _markdown(text: str) -> Iterator[str]:
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->|<(\w+)[^>]*>.*?</\1>", "", text, flags=re.S)
    for lines in _blocks(text):
        lines = [one for one in lines if not re.match(r"\s*(?:#|\||:::|--8<--|!\[|!!!|\?\?\?)", one)]
        yield from _items(lines)


def _plain_markdown(text: str) -> str:
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*_]{1,2}(\S[^*_]*)[*_]{1,2}", r"\1", re.sub(r"`[^`]+`", "code", text))


# A directive whose content is prose; that of all others is left out.
PROSE = re.compile(r"\.\. (?:note|warning|tip|topic|dropdown|seealso|important|admonition|versionadded)::")
SOURCES = re.compile(r"\.\. rubric:: References|\.\. (?:topic|dropdown):: References|\.\. \[|\* \[|\.\. _")


def _rst(text: str) -> Iterator[str]:
    for block in _rst_blocks(text):
        lines = [one for one in block if not re.match(r"\s*(?::[\w-]+:(?:\s|$)|\.\. )", one)]
        bare = [one.strip() for one in lines]
        if any(re.match(r"(?:>>>|\.\.\. |[=~^\"'`*#+.-]{3,}$|={2,} |\+[-=]|\|)", one) for one in bare):
            continue  # a heading with its rule, a session of Python, a table
        yield from _items(lines)


def _rst_blocks(text: str) -> Iterator[list[str]]:
    """The blocks of a page without the content of directives that hold no prose, and without code after `::`."""
    left_out: int | None = None  # the indentation above what is left out
    for lines in _blocks(text):
        first = lines[0]
        depth = len(first) - len(first.lstrip())
        if left_out is not None and depth > left_out:
            continue
        left_out = None
        stripped = first.strip()
        if SOURCES.match(stripped) or (re.match(r"\.\. [\w|]", stripped) and not PROSE.match(stripped)):
            left_out = depth
            continue
        if lines[-1].rstrip().endswith("::") and not stripped.startswith(".."):
            left_out = depth
        yield lines


def _plain_rst(text: str) -> str:
    text = re.sub(r":[\w:+-]+:`(?:[^`<]*\s)?<?~?([^`>]*)>?`", _role, text)
    text = re.sub(r"``[^`]+``", "code", text)
    text = re.sub(r"`([^`<]+?)\s*(?:<[^`>]*>)?`_{0,2}", r"\1", text)
    text = re.sub(r"\[[\w#]+\]_|\|[^|]+\||::", " ", text)
    return re.sub(r"\*{1,2}(\S[^*]*)\*{1,2}", r"\1", text)


def _role(found: re.Match[str]) -> str:
    """A link with a text is its text; a name in code and a formula are one word."""
    named = re.match(r":(?:ref|term|doc|user):`([^`<]+)\s<", found[0])
    return named[1] if named else "code"


if __name__ == "__main__":
    main()
