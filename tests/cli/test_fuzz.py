"""Settings at random at all three doors: each ends well, or with exit code 2 and one line; see `support/fuzz.py`."""

import fuzz
import pytest

FEW, MANY = 25, 250  # of each of four kinds: 100 cases, and 1,000


def cases(kind: str) -> list:
    """The numbers of one kind; all but the first are for a release."""
    return [
        pytest.param(kind, numbers, id=f"{kind}-{numbers.start}", marks=() if numbers.start == 0 else pytest.mark.slow)
        for numbers in (range(FEW), *(range(start, start + 45) for start in range(FEW, MANY, 45)))
    ]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [case for kind in ("command_line", "recipe", "keywords", "other_command") for case in cases(kind)],
)
def test_settings_at_random_end_well_or_in_one_line(kind, numbers, tmp_path, monkeypatch, quick_runs):
    trained = 0
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        ended = getattr(fuzz, f"run_{kind}")(number)
        assert not ended.fault, (ended.fault, ended.said, getattr(fuzz, kind)(number))
        trained += ended.code == 0
    assert trained < len(numbers) / 3  # most are wrong
