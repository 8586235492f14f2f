"""A container's quota counts, however its control groups are laid out."""

import os

import pytest

from nograd.engines.cores import available_cores, core_count, cpu_quota, pinned_cores


def tree(root, files):
    """A file system with these small files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


V1 = "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/system"
CASES = {
    "version 2, in a container": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
    "version 2, no limit": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
    "version 2, a group of the host": (
        {"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "400000 100000"},
        4.0,
    ),
    "version 2, a group above has less": (
        {
            "proc/self/cgroup": "0::/a/b",
            "sys/fs/cgroup/a/b/cpu.max": "400000 100000",
            "sys/fs/cgroup/a/cpu.max": "100000 50000",
        },
        2.0,
    ),
    "version 2, the host's name of the group": (
        {"proc/self/cgroup": "0::/docker/abc", "sys/fs/cgroup/cpu.max": "300000 100000"},
        3.0,
    ),
    "version 1, a group of the host": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "250000",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
        },
        2.5,
    ),
    "version 1, in a container": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        0.5,
    ),
    "version 1, no limit": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        None,
    ),
    "both versions": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "200000",
            "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/unified/system/cpu.max": "max 100000",
        },
        2.0,
    ),
    "no proc": ({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0),
    "no control groups": ({}, None),
    "damaged": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "many"}, None),
    "another group that is not of this process": (
        {"proc/self/cgroup": "0::/a", "sys/fs/cgroup/b/cpu.max": "100000 100000"},
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_quota_of_a_container(case, tmp_path):
    files, expected = CASES[case]
    assert cpu_quota(tree(tmp_path, files)) == expected


@pytest.mark.parametrize(("quota", "count"), [("50000", 1), ("150000", 1), ("200000", 2), ("900000", 4), ("max", 4)])
def test_as_many_workers_as_the_quota_has_whole_cores(quota, count, tmp_path, monkeypatch):
    monkeypatch.setattr("nograd.engines.cores.available_cores", lambda: [1, 3, 5, 7])
    root = tree(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": f"{quota} 100000"})
    assert core_count(root) == count
    pinned = [1, 3] if count == 4 else [None, None]  # with a quota, other containers have the same cores
    assert pinned_cores(2, root) == pinned
    assert pinned_cores(5, root) == [None] * 5


def test_without_a_quota_all_cores_count(tmp_path):
    assert core_count(tmp_path) == len(available_cores()) <= (os.cpu_count() or 1)
