import errno
import fcntl
import gzip
import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from nograd.data import download
from nograd.data import partial_file as part
from nograd.data.download import MIRRORS, content_digest, fetch, mirrors

CONTENT = random.Random(0).randbytes(200_000)  # does not compress: several chunks on the wire
FILE = gzip.compress(CONTENT, mtime=0)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def get(folder, *urls, name="f.gz", **kwargs):
    return fetch(name, urls, folder, DIGEST, progress=False, **kwargs)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_mirrors_are_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("NOGRAD_MIRRORS", " http://a/x  http://b/ ")
    assert mirrors() == ("http://a/x/", "http://b/")
    monkeypatch.setenv("NOGRAD_MIRRORS", "")
    assert mirrors() == MIRRORS


def test_fresh_download_makes_the_folder_and_leaves_only_the_file(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    folder = tmp_path / "a" / "b"
    assert get(folder, mirror.url) == f"{mirror.url}f.gz"
    assert (folder / "f.gz").read_bytes() == FILE
    assert names(folder) == ["f.gz"]
    assert mirror.log == [("f.gz", None, len(FILE))]


def test_a_part_file_is_resumed(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    (tmp_path / "f.gz.part").write_bytes(FILE[:150_000])
    get(tmp_path, mirror.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert mirror.log == [("f.gz", "bytes=150000-", len(FILE) - 150_000)]


def test_a_server_without_ranges_sends_everything_again(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    mirror.ranges = False
    (tmp_path / "f.gz.part").write_bytes(b"x" * 150_000)
    get(tmp_path, mirror.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert mirror.log == [("f.gz", "bytes=150000-", len(FILE))]


def test_a_part_file_longer_than_the_file_is_started_over(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    (tmp_path / "f.gz.part").write_bytes(b"x" * (len(FILE) + 5))
    get(tmp_path, mirror.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert [sent for _, _, sent in mirror.log] == [0, len(FILE)]  # 416, then all of it


def test_a_part_file_that_is_whole_needs_no_network(tmp_path):
    (tmp_path / "f.gz.part").write_bytes(FILE)
    assert get(tmp_path) == ""
    assert names(tmp_path) == ["f.gz"]


def test_a_part_file_of_something_else_is_started_over_on_the_same_mirror(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    (tmp_path / "f.gz.part").write_bytes(b"x" * 1000)
    get(tmp_path, mirror.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert [wanted for _, wanted, _ in mirror.log] == ["bytes=1000-", None]


def test_a_cut_connection_is_resumed_at_once(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    mirror.cut = [70_000]
    get(tmp_path, mirror.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert mirror.log == [("f.gz", None, 70_000), ("f.gz", "bytes=70000-", len(FILE) - 70_000)]


def test_a_download_that_was_given_up_is_resumed_by_the_next_run(tmp_path, serve, refusal):
    mirror = serve({"f.gz": FILE})
    mirror.cut = [70_000, 0]
    message = refusal(get, tmp_path, mirror.url)
    assert f"connection cut after 70,000 of {len(FILE):,} bytes" in message
    assert (tmp_path / "f.gz.part").stat().st_size == 70_000
    get(tmp_path, mirror.url)
    assert mirror.log[-1] == ("f.gz", "bytes=70000-", len(FILE) - 70_000)
    assert (tmp_path / "f.gz").read_bytes() == FILE


def test_halves_of_two_mirrors_that_do_not_fit_are_not_glued_together(tmp_path, serve):
    # The same content, compressed otherwise: bytes of the one mirror cannot go on with those of the other.
    first, second = serve({"f.gz": gzip.compress(CONTENT, 0)}), serve({"f.gz": FILE})
    first.cut = [70_000, 0]
    get(tmp_path, first.url, second.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert [wanted for _, wanted, _ in second.log] == ["bytes=70000-", None]


def test_a_mirror_that_always_cuts_is_left_for_the_next(tmp_path, serve):
    first, second = serve({"f.gz": FILE}), serve({"f.gz": FILE})
    first.cut = [1000] * 100
    get(tmp_path, first.url, second.url)
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert len(first.log) < 10
    assert second.log == [("f.gz", f"bytes={1000 * len(first.log)}-", len(FILE) - 1000 * len(first.log))]


def test_the_wrong_range_is_not_glued_on(tmp_path, serve, refusal):
    mirror = serve({"f.gz": FILE})
    mirror.shift = 7
    (tmp_path / "f.gz.part").write_bytes(FILE[:1000])
    assert "another range" in refusal(get, tmp_path, mirror.url)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "bad",
    [
        gzip.compress(CONTENT + b"!"),
        FILE[:-20],
        FILE + b"tail",
        FILE[:99_999] + bytes(1000) + FILE[100_999:],
        b"<html>please log in</html>",
        b"",
    ],
    ids=["other", "short", "tail", "flipped", "login page", "empty"],
)
def test_a_bad_copy_is_thrown_away_and_the_next_mirror_is_tried(tmp_path, serve, bad):
    first, second = serve({"f.gz": bad}), serve({"f.gz": FILE})
    assert get(tmp_path, first.url, second.url) == f"{second.url}f.gz"
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert names(tmp_path) == ["f.gz"]
    assert second.log == [("f.gz", None, len(FILE))]  # nothing of the bad copy was kept
    assert len(first.log) == 1


def test_a_bad_copy_never_gets_the_name(tmp_path, serve, refusal):
    bad = b"not what you wanted"
    found = hashlib.sha256(bad).hexdigest()
    message = refusal(get, tmp_path, serve({"f.gz": bad}).url)
    assert f"checksum {found[:12]} instead of {DIGEST[:12]}" in message
    assert names(tmp_path) == []


def test_dead_mirrors_are_named_with_their_reasons(tmp_path, serve, refusal):
    empty = serve({})
    message = refusal(get, tmp_path, "http://127.0.0.1:9/", empty.url, "no-url/")
    assert message.startswith("cannot download f.gz (http://127.0.0.1:9/f.gz: Connection refused; ")
    assert f"{empty.url}f.gz: HTTP 404; " in message
    assert "no-url/f.gz: unknown url type" in message
    assert message.endswith("check the network or set NOGRAD_MIRRORS")
    assert names(tmp_path) == []


def test_a_silent_mirror_is_given_up(tmp_path, serve, monkeypatch):
    silent, good = serve({}), serve({"f.gz": FILE})
    silent.silent.set()
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    assert get(tmp_path, silent.url, good.url) == f"{good.url}f.gz"


def test_uncompressed_files_can_be_fetched(tmp_path, serve):
    get(tmp_path, serve({"f": CONTENT}).url, name="f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_one_line_a_file_where_there_is_no_terminal(tmp_path, serve, capsys):
    mirror = serve({"f.gz": FILE})
    fetch("f.gz", [mirror.url], tmp_path, DIGEST, progress=True)
    assert capsys.readouterr() == ("", f"downloading {mirror.url}f.gz (0.2 MB)\n")


def test_a_bar_on_a_terminal(tmp_path, serve, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    fetch("f.gz", [serve({"f.gz": FILE}).url], tmp_path, DIGEST, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "f.gz" in err
    assert "200.1/200.1 kB" in err


def test_two_downloads_at_once_do_not_mix(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: get(tmp_path, mirror.url), range(24)))
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert names(tmp_path) == ["f.gz"]


def test_a_part_file_in_use_is_left_alone(tmp_path, serve):
    mirror = serve({"f.gz": FILE})
    shared = tmp_path / "f.gz.part"
    shared.write_bytes(b"theirs")
    with shared.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        get(tmp_path, mirror.url)
    assert shared.read_bytes() == b"theirs"
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert names(tmp_path) == ["f.gz", "f.gz.part"]


def test_a_part_file_renamed_before_it_was_locked_is_not_written(tmp_path, serve, monkeypatch):
    """Another process finishes between our open and our lock: the handle is now its finished file."""
    mirror, shared, target = serve({"f.gz": FILE}), tmp_path / "f.gz.part", tmp_path / "f.gz"
    shared.write_bytes(FILE[:1000])

    def lock_too_late(handle, flags):
        shared.write_bytes(FILE)
        shared.rename(target)

    monkeypatch.setattr(part.fcntl, "flock", lock_too_late)
    assert get(tmp_path, mirror.url) == ""
    assert target.read_bytes() == FILE
    assert mirror.log == []
    assert names(tmp_path) == ["f.gz"]


def test_a_part_file_removed_before_it_was_locked_is_not_written(tmp_path, serve, monkeypatch):
    mirror, shared = serve({"f.gz": FILE}), tmp_path / "f.gz.part"
    monkeypatch.setattr(part.fcntl, "flock", lambda handle, flags: shared.unlink())
    assert get(tmp_path, mirror.url) == f"{mirror.url}f.gz"
    assert (tmp_path / "f.gz").read_bytes() == FILE
    assert names(tmp_path) == ["f.gz"]


def test_without_locks_the_download_goes_to_a_file_of_its_own(tmp_path, serve, monkeypatch):
    def no_locks(handle, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(part.fcntl, "flock", no_locks)
    get(tmp_path, serve({"f.gz": FILE}).url)
    assert (tmp_path / "f.gz").read_bytes() == FILE


def test_bytes_are_on_the_disk_before_the_name(tmp_path, serve, monkeypatch):
    events = []
    real = os.fsync
    monkeypatch.setattr(part.os, "fsync", lambda fd: (events.append((tmp_path / "f.gz").exists()), real(fd)))
    get(tmp_path, serve({"f.gz": FILE}).url)
    assert events == [False, True]  # the file, then the folder


def test_a_full_disk_is_one_line_and_not_a_mirrors_fault(tmp_path, serve, monkeypatch, refusal):
    def full(self, data):
        with part.disk_errors(self.path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    first, second = serve({"f.gz": FILE}), serve({"f.gz": FILE})
    monkeypatch.setattr(part.Part, "append", full)
    message = refusal(get, tmp_path, first.url, second.url)
    assert message.startswith(f"cannot write {tmp_path}/f.gz.part (No space left on device); ")
    assert "XDG_CACHE_HOME" in message
    assert second.log == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, refusal):
    (tmp_path / "file").write_text("in the way")
    message = refusal(get, tmp_path / "file" / "sub", "http://127.0.0.1:9/")
    assert message.startswith(f"cannot write {tmp_path}/file/sub/f.gz (Not a directory); ")


def test_content_digest_of_plain_gzipped_and_damaged(tmp_path):
    path = tmp_path / "f"
    results = []
    for data in (CONTENT, FILE, FILE[:-1]):
        path.write_bytes(data)
        with path.open("rb") as handle:
            results.append(content_digest(handle))
    assert results == [DIGEST, DIGEST, "damaged gzip"]
