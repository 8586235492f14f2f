"""The charts of predicted numbers."""

import re

import numpy as np

from nograd.reports.regression import _charts


def test_every_axis_has_a_title():
    """Layers of a chart share their axes: one without a title would take it from the others."""
    true = np.linspace(-2.0, 3.0, 20)
    pictures = re.findall(r"<svg.*?</svg>", str(_charts("price", true, true + 0.1 * np.sin(5 * true))), re.S)
    titles = [
        [text for text in re.findall(r"<text[^>]*>([^<]*)</text>", one) if text[-1:].isalpha()] for one in pictures
    ]
    assert titles == [["true price", "predicted"], ["predicted price", "residual"]]
