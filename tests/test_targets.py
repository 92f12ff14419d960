"""Every test belongs to a target of the Makefile: a marked one outside its folder would never run."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["browser", "faults", "statistics"])
def test_tests_of_a_target_that_names_a_folder_lie_in_it(name):
    marked = [
        path
        for path in HERE.rglob("test_*.py")
        if f"pytest.mark.{name}" in path.read_text(encoding="utf-8") and path != Path(__file__)
    ]
    assert [path for path in marked if path.parent.name != name] == []
    assert marked
