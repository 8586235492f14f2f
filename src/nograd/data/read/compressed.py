"""Bytes of a file that may be compressed, with a limit on what it may grow to."""

import gzip
import os
import zipfile
import zlib
from pathlib import Path

from nograd.core.types import DataError

_BLOCK = 1 << 20
_SMALL = 1 << 28  # bytes: below this, whatever comes out of a file does no harm
_RATIO = 200  # tables shrink to a fifth or a thirtieth; what shrinks further is made to fill the memory


def memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_growth(path: Path, packed: int, unpacked: int) -> None:
    """Raises DataError where a compressed file is, unpacked, too large to be meant.

    Args:
        packed: its bytes on disk; unpacked: bytes that come out of it, as far as they are known.
    """
    if unpacked > memory() // 2 or (unpacked > _SMALL and unpacked > _RATIO * max(packed, 1)):
        raise DataError(
            f"{path} grows from {packed / 1e6:,.1f} MB to more than {unpacked / 1e6:,.0f} MB when it is unpacked; "
            "unpack it yourself if it is meant to be so large"
        )


def read_gzip(path: Path) -> bytes:
    """The content of a .gz file.

    Raises:
        DataError: unreadable, damaged or cut off, or far too large when unpacked.
    """
    packed, blocks, size = path.stat().st_size, [], 0
    try:
        with gzip.open(path) as handle:
            while block := handle.read(_BLOCK):
                blocks.append(block)
                size += len(block)
                check_growth(path, packed, size)
    except EOFError as error:
        raise DataError(
            f"{path} is cut off: its compressed content ends after {size:,} bytes; copy or download it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or not gzip ({error}); copy or download it again") from error
    return b"".join(blocks)


def check_zip(path: Path) -> None:
    """Raises DataError where a zip archive (.xlsx, .npz) would fill the memory; its reader tells other damage."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_growth(path, path.stat().st_size, sum(item.file_size for item in archive.infolist()))
    except (zipfile.BadZipFile, OSError):
        return
