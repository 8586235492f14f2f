"""The description that every exported file contains."""

from typing import Any

import nograd
from nograd.core.json_text import to_json
from nograd.runs.export.base import Exported

FORMAT = "nograd-export-1"


def about_text(given: Exported, **more: Any) -> str:
    """Describes the model, its inputs and its outputs, as JSON; `more` are further entries."""
    words = {"format": FORMAT, "nograd": nograd.__version__, "model": given.name}
    return to_json({**words, **given.network.about, **more})
