"""A disk that crashes: every write, sync, rename and removal of a training is counted, and one is its last."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from nograd.runs import files

# kill: the process dies, and what it handed to the system stays. power: what was not synced is gone, names too.
# names: the names are on the disk already, but not what was written to the files.
MODES = ("kill", "power", "names")


class Crash(BaseException):
    """The process is dead: nothing can catch this and go on."""


class Disk:
    """What of a folder would survive, kept beside the real files while operations go on."""

    def __init__(self, root: Path, at: int | None = None) -> None:
        self.root, self.at = root, at
        self.count, self.dead = 0, False
        self.synced: dict[int, bytes] = {}  # by inode
        self.names: dict[Path, dict[str, int]] = {}
        for folder in self._folders():
            self._remember_names(folder)
            for path in _files(folder):
                self.synced[path.stat().st_ino] = path.read_bytes()

    def write(self, file, content):
        if file.tell() == 0:
            self.synced.pop(Path(file.name).stat().st_ino, None)
        self._count(lambda: (file.write(content[: len(content) // 2]), file.flush()))
        file.write(content)
        file.flush()

    def sync(self, file):
        self._count()
        path = Path(file.name)
        self.synced[path.stat().st_ino] = path.read_bytes()

    def rename(self, old, new):
        self._count()
        old.replace(new)

    def remove(self, path):
        self._count()
        path.unlink(missing_ok=True)

    def sync_folder(self, path):
        self._count()
        self._remember_names(path)

    def cut(self, mode: str) -> None:
        """Leaves of the folder what the crash does."""
        if mode == "kill":
            return
        names = self.names if mode == "power" else {f: _inodes(f) for f in self._folders()}
        for folder in [f for f in self._folders() if f not in names]:
            shutil.rmtree(folder, ignore_errors=True)
        for folder, listed in names.items():
            for path in _files(folder):
                path.unlink()
            for name, inode in listed.items():
                (folder / name).write_bytes(self.synced.get(inode, b""))

    def _count(self, half=None):
        if not self.dead and self.count == self.at:
            self.dead = True
            if half:
                half()
        if self.dead:
            raise Crash
        self.count += 1

    def _remember_names(self, folder: Path) -> None:
        self.names[folder] = _inodes(folder)

    def _folders(self) -> list[Path]:
        return [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]


@contextmanager
def crashing(root: Path, at: int | None, mode: str = "kill"):
    """The block's operations on files below `root`, with a crash at number `at`; yields the Disk."""
    disk = Disk(root, at)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write", "sync", "rename", "remove", "sync_folder"):
            patch.setattr(files, name, getattr(disk, name))
        try:
            yield disk
        except Crash:
            disk.cut(mode)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


def _inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in _files(folder)}
