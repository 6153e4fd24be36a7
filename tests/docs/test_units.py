"""The committed units are what is rendered."""

from __future__ import annotations

import pytest

from tests.unit.render.variants import COMMITTED, REPOSITORY, read


@pytest.mark.parametrize("folder", COMMITTED)
def test_the_committed_units_are_fresh(folder: str) -> None:
    expected = COMMITTED[folder].files()
    assert read(REPOSITORY / folder) == expected, "renew with: python -m tests.unit.render.variants"
