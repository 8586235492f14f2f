"""Processes of this machine, as /proc shows them."""

from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


def alive(process):
    """Whether it runs; a zombie does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children_of(process):
    """Processes whose parent this is."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = status.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(process):
            found.append(int(status.parent.name))
    return found


def descendants_of(process):
    """Its children, and theirs."""
    children = children_of(process)
    return children + [other for child in children for other in descendants_of(child)]
