"""The cores that this process may use: those that it may run on, and how many a container's quota is worth."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def available_cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def core_count(root: Path = Path("/")) -> int:
    """How many processes can have a core's time each: the cores, or fewer where a container's quota gives fewer."""
    cores, quota = len(available_cores()), cpu_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def pinned_cores(workers: int, root: Path = Path("/")) -> list[int | None]:
    """A core for each worker, where there are as many; None: wherever the system lets it run.

    With a quota none is pinned: the cores then belong to other containers as well, which would pin to the same ones.
    """
    cores = available_cores()
    if workers > len(cores) or core_count(root) < len(cores):
        return [None] * workers
    return list(cores[:workers])


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of time that the control groups of this process may take; None: no limit.

    Version 2 says it as `cpu.max` ("QUOTA PERIOD", or "max PERIOD"), version 1 as `cpu.cfs_quota_us` (−1: no limit)
    and `cpu.cfs_period_us`. A group is bound by those above it too, so the least of all counts.

    Args:
        root: of the file system, for tests.
    """
    quotas = [_quota(folder) for folder in _groups(root)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups and of all above them."""
    lines = _words(root / "proc/self/cgroup", "\n")
    for line in lines:
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 1 has a folder for each set of controllers, and most systems a link from "cpu" to it.
        mounts = {"", "unified"} if not controllers else {controllers, "cpu"}
        path = PurePosixPath(group.lstrip("/"))
        # In a container the group may be named as the host sees it, and its folder be the mounted one itself.
        for mount in sorted(mounts):
            yield from (root / "sys/fs/cgroup" / mount / above for above in (path, *path.parents))
    if not lines:
        yield root / "sys/fs/cgroup"


def _quota(folder: Path) -> float | None:
    """What the files of one group say."""
    both = _words(folder / "cpu.max")
    if not both:
        both = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
    with suppress(ValueError, ZeroDivisionError):
        quota, period = both  # "max" is no number
        return int(quota) / int(period) if int(quota) > 0 else None
    return None


def _words(path: Path, separator: str | None = None) -> list[str]:
    """What a small file holds; nothing where it cannot be read."""
    try:
        return [word for word in path.read_text().split(separator) if word]
    except (OSError, UnicodeDecodeError):
        return []
