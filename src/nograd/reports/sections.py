"""The sections of a run's page that only some tasks have, by the words of `ReportInfo.sections`."""

from collections.abc import Callable

from nograd.reports.html import Markup, join
from nograd.reports.mistakes import mistakes_of
from nograd.runs.run import Run
from nograd.tasks.examples import Split

SECTIONS: dict[str, Callable[[Run, Split], Markup]] = {"mistakes": mistakes_of}


def own_sections(run: Run, split: Split) -> Markup:
    """What this run's task has to show of a split, in the order that it names; a word without a section is left out."""
    return join([SECTIONS[word](run, split) for word in run.shown.sections if word in SECTIONS])
