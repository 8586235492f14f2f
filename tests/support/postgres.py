"""A PostgreSQL server of the tests' own: in a temporary folder, behind a Unix socket, by an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path:
    """The folder of initdb, postgres and pg_isready: Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    for folder in (*folders, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)):
        if all((folder / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return folder
    pytest.skip("no PostgreSQL server here (apt install postgresql): neither in PATH nor in /usr/lib/postgresql")


def _user() -> dict[str, object]:
    """Whom to run it as: PostgreSQL refuses to be root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database of a new server, without host and password; the server ends with the block."""
    pytest.importorskip("psycopg", reason="pip install 'nograd[postgresql]'")
    programs, who = _programs(), _user()
    # Not pytest's folder: another user could not enter it, and the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="nograd-pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if who:
            os.chown(folder, who["user"], who["group"])
        data, log = folder / "data", folder / "log"
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "nograd", "-A", "trust", "--no-sync"],
            cwd=folder, capture_output=True, text=True, **who,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-k", folder]
        with log.open("wb") as said:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *settings], cwd=folder, stdout=said, stderr=said, **who
            )
        try:
            _until_it_answers(programs, folder, server, log)
            yield f"postgresql+psycopg://nograd@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown
            server.wait(timeout=30)


def _until_it_answers(programs: Path, folder: Path, server: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        asked = subprocess.run([programs / "pg_isready", "-q", "-h", folder], cwd=folder)
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"the server does not answer: {log.read_text()}")
