"""Predictions as the text of a CSV file."""

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV text of a header and rows; cells with a comma or a quotation mark are quoted."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return written.getvalue()


def as_shares(values: np.ndarray) -> list[str]:
    """Probabilities with six decimals."""
    return [f"{value:.6f}" for value in values]
