"""Files from mirrors: resumed, checked before they get their name, safe beside other processes."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nograd.core.types import DataError
from nograd.data.partial_file import Part, claim_part
from nograd.data.progress import Advance, show_progress

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
TIMEOUT = 20.0  # seconds without a byte before a mirror is given up
_ATTEMPTS = 4  # requests to one mirror, as long as each brings bytes
_CHUNK = 1 << 16
_NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError)  # ValueError: not a URL at all


class MirrorError(DataError):
    """No mirror gave a good copy."""


def mirrors() -> tuple[str, ...]:
    """The base URLs to try, in order: those of NOGRAD_MIRRORS (separated by spaces), or MIRRORS."""
    bases = os.environ.get("NOGRAD_MIRRORS", "").split() or MIRRORS
    return tuple(base.rstrip("/") + "/" for base in bases)


def fetch(name: str, mirrors: Sequence[str], folder: Path, digest: str, progress: bool = True) -> str:
    """Download `name` into `folder`, from the first mirror that has a good copy.

    Bytes go to `name`.part, which a later call resumes; the file gets its name only when whole and checked.

    Args:
        name: the file, appended to each base URL of `mirrors`.
        digest: SHA-256 of the uncompressed content, 64 hex digits.
        progress: show a bar on a terminal, else one line, on stderr.
    Returns:
        The URL it came from; "" if nothing had to be sent.
    Raises:
        MirrorError: no mirror gave a good copy; each reason is in the message.
        DataError: the folder cannot be written.
    """
    target = folder / name
    with claim_part(target) as part:
        if target.is_file():  # another process has finished it since the caller looked
            return ""
        if part.size() and content_digest(part.handle) == digest:  # whole, but never renamed
            part.install(target)
            return ""
        reasons = []
        for url in (base + name for base in mirrors):
            reason = _try_mirror(url, part, digest, progress)
            if not reason:
                part.install(target)
                return url
            reasons.append(f"{url}: {reason}")
    raise MirrorError(
        f"cannot download {name} ({'; '.join(reasons) or 'no mirrors'}); check the network or set NOGRAD_MIRRORS"
    )


def _try_mirror(url: str, part: Part, digest: str, progress: bool) -> str:
    """Fill `part` from one URL. Returns "" if its content is good, else what went wrong."""
    reason = ""
    for _ in range(_ATTEMPTS):
        before = part.size()
        try:
            _receive(url, part, progress)
        except _NETWORK_ERRORS as error:
            reason = _describe(error)
            if part.size() <= before:
                return reason
            continue  # cut off, but bytes came: worth resuming
        found = content_digest(part.handle)
        if found == digest:
            return ""
        part.truncate()
        reason = f"checksum {found[:12]} instead of {digest[:12]}"
        if not before:
            return reason
        # The beginning may have come from another mirror or another day: once more, from the start.
    return reason


def _receive(url: str, part: Part, progress: bool) -> None:
    """Append to `part` what it lacks of `url`, or all of it where the server knows no ranges.

    Raises:
        OSError, HTTPException, ValueError: the network's errors; ConnectionError if bytes are missing.
        DataError: the disk's errors.
    """
    with _request(url, part) as response:
        if getattr(response, "status", None) != 206:
            part.truncate()
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {part.size()}-"):
            part.truncate()
            raise ConnectionError("answered with another range than asked for")
        length = response.headers.get("Content-Length", "")
        total = part.size() + int(length) if length.isdigit() else None
        with show_progress(url, part.size(), total, progress) as advance:
            _copy(response, part, advance)
    if total is not None and part.size() != total:
        raise ConnectionError(f"connection cut after {part.size():,} of {total:,} bytes")


@contextmanager
def _request(url: str, part: Part) -> Iterator[Any]:
    """The open response for the rest of `url`; for all of it if the server refuses the range (416)."""
    try:
        with _open(url, part.size()) as response:
            yield response
            return
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not part.size():
            raise
    part.truncate()
    with _open(url, 0) as response:
        yield response


def _open(url: str, start: int) -> Any:
    """The response to a GET of `url` from byte `start`."""
    headers = {"User-Agent": "nograd"} | ({"Range": f"bytes={start}-"} if start else {})
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)


def _copy(response: IO[bytes], part: Part, advance: Advance) -> None:
    """Append all that `response` still has."""
    while chunk := response.read(_CHUNK):
        part.append(chunk)
        advance(len(chunk))


def content_digest(handle: IO[bytes]) -> str:
    """SHA-256 (hex) of an open file's content, uncompressed if it is gzip; "damaged gzip" if it cannot be."""
    digest = hashlib.sha256()
    handle.seek(0)
    gzipped = handle.read(2) == b"\x1f\x8b"
    handle.seek(0)
    inflate = zlib.decompressobj(wbits=31)
    try:
        while chunk := handle.read(_CHUNK):
            digest.update(inflate.decompress(chunk) if gzipped else chunk)
    except zlib.error:
        return "damaged gzip"
    whole = not gzipped or (inflate.eof and not inflate.unused_data)
    return digest.hexdigest() if whole else "damaged gzip"


def _describe(error: BaseException) -> str:
    """A network error in a few words, on one line."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(str(text).split())
