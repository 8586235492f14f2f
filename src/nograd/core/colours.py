"""The colours of all that is drawn, for light and for dark: report pages, curves.png, speedup.png and the docs."""

from types import MappingProxyType
from typing import NamedTuple


class Colour(NamedTuple):
    """A colour on a light and on a dark page."""

    light: str
    dark: str


# The series are after Okabe and Ito: they are told apart with any colour vision.
PALETTE = MappingProxyType(
    {
        "paper": Colour("#fdfdfc", "#14171a"),
        "card": Colour("#ffffff", "#1b1f23"),
        "ink": Colour("#1c2126", "#e8eaec"),
        "quiet": Colour("#59636e", "#9aa4af"),
        "faint": Colour("#c3c9d0", "#48515b"),
        "grid": Colour("#eceef0", "#272d33"),
        "edge": Colour("#e2e5e8", "#2c333a"),
        "marked": Colour("#fdf3dc", "#3a3119"),
        "good": Colour("#00785a", "#34c79d"),
        "bad": Colour("#b3410b", "#ff9360"),
        "series-0": Colour("#0a6fb5", "#5ab0ee"),
        "series-1": Colour("#d1620c", "#f29a4e"),
        "series-2": Colour("#00845f", "#35c79b"),
        "series-3": Colour("#b5568f", "#e298c4"),
        "series-4": Colour("#8a6d00", "#dcc14a"),
        "series-5": Colour("#3aa0d8", "#93d2f7"),
        "series-6": Colour("#6a4fb3", "#b09cf0"),
        "series-7": Colour("#5b6670", "#a9b4be"),
    }
)
SERIES = tuple(colour for name, colour in PALETTE.items() if name.startswith("series-"))


def css_variables() -> str:
    """A rule of CSS that names all colours: var(--ink), and so on."""
    lines = "".join(f"  --{name}: light-dark({colour.light}, {colour.dark});\n" for name, colour in PALETTE.items())
    return f":root {{\n{lines}}}\n"
