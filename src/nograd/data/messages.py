"""Words for messages about data: names and values of any origin, on one line."""

import difflib
from collections.abc import Sequence


def one_line(text: object) -> str:
    """Text of any origin on one line of at most 60 characters."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= 60 else f"{flat[:59]}…"


def name_list(names: Sequence[str], limit: int = 12) -> str:
    """Names for a message, the first `limit` of them."""
    more = f" … ({len(names)} in all)" if len(names) > limit else ""
    return ", ".join(one_line(name) for name in names[:limit]) + more


def near(word: str, words: Sequence[str]) -> str:
    """ ", did you mean X?" for the closest of `words`, "" if none is close."""
    close = difflib.get_close_matches(word.lower(), words, n=1)
    return f", did you mean {close[0]}?" if close else ""


def near_file(name: str, files: Sequence[str]) -> str:
    """As `near`, for the name of a file. A common suffix does not make two names close: nofile.csv is not wine.csv."""
    stems = {file: file.partition(".")[0] for file in files}
    wanted = name.partition(".")[0].lower()
    return near(name, [file for file, stem in stems.items() if difflib.get_close_matches(wanted, [stem.lower()])])
