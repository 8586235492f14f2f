import gzip
import struct

import numpy as np
import pytest

from nograd.data import read_idx


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
def test_reads_plain_and_gzipped_whatever_the_name(tmp_path, idx, compress):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "file"
    path.write_bytes(compress(idx(array)))
    np.testing.assert_array_equal(read_idx(path), array)


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
def test_reads_every_type_of_the_format(tmp_path, code, dtype):
    values = np.array([1, 2, 100], dtype)
    path = tmp_path / "file"
    path.write_bytes(struct.pack(">BBBBI", 0, 0, code, 1, 3) + values.tobytes())
    array = read_idx(path)
    assert array.tolist() == [1, 2, 100]
    assert array.dtype == np.dtype(dtype).newbyteorder("=")
    assert array.dtype.isnative


GOOD = struct.pack(">BBBBI", 0, 0, 8, 1, 3) + b"abc"
PACKED = gzip.compress(GOOD, mtime=0)  # test names hold these bytes: no time of day in them


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not an IDX file: it starts with bytes none"),
        (b"PK\3\4", "is not an IDX file: it starts with bytes 504b0304"),
        (b"\0\0\7\1" + GOOD[4:], "is not an IDX file: it starts with bytes 00000701"),
        (b"\0\0\10\0a", "is not an IDX file: it starts with bytes 00000800"),
        (b"\0\0\10\3\0\0", "is truncated in its header, at byte 6"),
        (GOOD[:-1], "is truncated: shape (3,) takes 11 bytes, got 10"),
        (GOOD + b"d", "is followed by other bytes: shape (3,) takes 11 bytes, got 12"),
        (
            struct.pack(">BBBBII", 0, 0, 8, 2, 2**32 - 1, 2**32 - 1),
            "is truncated: shape (4294967295, 4294967295)",
        ),
        (PACKED[:-9], "is a damaged or truncated gzip file"),
        (PACKED[:-5] + b"12345", "is a damaged or truncated gzip file"),
        (PACKED + b"tail", "is a damaged or truncated gzip file"),
        (b"\x1f\x8b", "is a damaged or truncated gzip file"),
    ],
)
def test_refuses_damage(tmp_path, refusal, data, words):
    path = tmp_path / "file"
    path.write_bytes(data)
    message = refusal(read_idx, path)
    assert message.startswith(f"{path} {words}")
    assert message.endswith("replace it with a good copy")


def test_refuses_what_is_not_there(tmp_path, refusal):
    assert "(No such file or directory); check path" in refusal(read_idx, tmp_path / "none")
    assert "(Is a directory); check path" in refusal(read_idx, tmp_path)
