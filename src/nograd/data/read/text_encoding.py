"""The bytes of a text file as UTF-8 with lines that Polars knows, whatever program wrote them."""

import re
from pathlib import Path

from nograd.core.types import DataError

SAMPLE = 1 << 16  # bytes or characters that show what a file is
WESTERN = "read as Windows-1252 text, since it is not UTF-8"
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def western(path: Path, raw: bytes, error: UnicodeDecodeError) -> bytes:
    """Text of Windows-1252, as Excel writes "CSV" in the West, as UTF-8.

    Raises:
        DataError: some of it is UTF-8 (it is damaged, or mixed), or it is no such text either.
    """
    if not _UTF8_LETTER.search(raw):
        try:
            return raw.decode("cp1252").encode()
        except UnicodeDecodeError:
            pass
    raise DataError(
        f"{path} is not UTF-8 text (it has byte 0x{error.object[error.start]:02x}); save it as UTF-8"
    ) from error


def as_utf8(path: Path, head: bytes, data: bytes | None) -> bytes | None:
    """The content as UTF-8 where it is something else; None where Polars can read the file as it lies."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(head) == 4 and (head[1::2] == b"\0\0" or head[::2] == b"\0\0"):
        encoding = "utf-16-le" if head[1::2] == b"\0\0" else "utf-16-be"
    elif head.startswith(b"\xef\xbb\xbf"):
        return (data if data is not None else path.read_bytes())[3:]
    else:
        return data
    raw = data if data is not None else path.read_bytes()
    try:
        return raw.decode(encoding).lstrip("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not whole UTF-16 text ({error.reason}); save it as UTF-8") from error


def mac_lines(path: Path, data: bytes | None) -> bytes | None:
    """Lines that end in a lone carriage return, as Excel for Mac writes them, made into lines that Polars knows."""
    if data is None:
        with path.open("rb") as handle:
            head = handle.read(SAMPLE)
        if b"\r" not in head or b"\n" in head:
            return None
        data = path.read_bytes()
    return data.replace(b"\r", b"\n") if b"\r" in data and b"\n" not in data else data


def without_sep_line(path: Path, data: bytes | None) -> bytes | None:
    """The content without the line "sep=;" by which Excel is told of the delimiter; the header tells it too."""
    if data is None:
        with path.open("rb") as handle:
            if handle.read(4).lower() != b"sep=":
                return None
        data = path.read_bytes()
    line, _, rest = data.partition(b"\n")
    return rest if re.fullmatch(rb"sep=.\r?", line, re.IGNORECASE) else data
