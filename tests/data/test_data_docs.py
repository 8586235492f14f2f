import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "data.md"


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    if not PAGE.is_file():
        pytest.skip("docs/how-to/data.md is not in this distribution")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) > 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/how-to/data.md", "exec"), names)
