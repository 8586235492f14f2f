"""The IDX format of MNIST: big-endian arrays behind a short header, plain or gzipped."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array

GZIP_MAGIC = b"\x1f\x8b"
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> Array:
    """The array of an IDX file, in native byte order; gzip is recognised by its content.

    Raises:
        DataError: unreadable, truncated, with bytes left over, or not IDX at all.
    """
    return parse_idx(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file, decompressed if it is gzipped.

    Raises:
        DataError: the file cannot be read, or its gzip stream is damaged or cut short.
    """
    try:
        data = Path(path).read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a damaged or truncated gzip file ({error}); replace it with a good copy") from error
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); check path and permissions") from error


def parse_idx(data: bytes, what: str) -> Array:
    """The array in `data`: 2 zero bytes, a type code, the number of axes, the axes as uint32, the values.

    Args:
        data: uncompressed IDX bytes. what: their name in messages.
    Raises:
        DataError: a wrong magic number, or more or fewer bytes than the header promises.
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or data[3] == 0:
        raise DataError(
            f"{what} is not an IDX file: it starts with bytes {data[:4].hex() or 'none'}, not 0000, a type "
            "and a number of axes; replace it with a good copy"
        )
    dtype, axes = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * axes
    if len(data) < start:
        raise DataError(f"{what} is truncated in its header, at byte {len(data)}; replace it with a good copy")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", axes, 4))
    expected = start + dtype.itemsize * math.prod(shape)
    if len(data) != expected:
        fault = "truncated" if len(data) < expected else "followed by other bytes"
        raise DataError(
            f"{what} is {fault}: shape {shape} takes {expected} bytes, got {len(data)}; replace it with a good copy"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
