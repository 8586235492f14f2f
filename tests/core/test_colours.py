"""One palette: what is drawn anywhere has the colours of `nograd.core.colours`, and they can be told from the paper."""

import re
from pathlib import Path

import pytest

from nograd.core.colours import PALETTE, SERIES, css_variables

ROOT = Path(__file__).parents[2]
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b|\btab:\w+")


def luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_curves_can_be_read(dark):
    paper = PALETTE["paper"][dark]
    assert contrast(PALETTE["ink"][dark], paper) > 7
    assert all(contrast(PALETTE[name][dark], paper) > 4.5 for name in ("quiet", "good", "bad"))
    # Lines and points of a chart need 3 to 1 (WCAG 2.2, 1.4.11); of many, the sixth is for large areas.
    assert all(contrast(colour[dark], paper) > 2.8 for colour in SERIES)


def test_no_module_or_style_has_colours_of_its_own():
    files = [path for kind in ("*.py", "*.css", "*.js") for path in (ROOT / "src").rglob(kind)]
    own = [path.name for path in files if COLOUR.search(path.read_text("utf-8")) and path.name != "colours.py"]
    assert own == []


def test_a_style_uses_variables_that_exist():
    used = re.findall(r"var\(--([\w-]+)\)", (ROOT / "src/nograd/reports/style.css").read_text("utf-8"))
    assert set(used) <= {*PALETTE, "hue", "share", "shade"}
    assert all(f"--{name}:" in css_variables() for name in PALETTE)
