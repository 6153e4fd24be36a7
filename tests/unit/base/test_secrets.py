"""The token that services share is never half there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ai_semble.errors import AiSembleError
from ai_semble.secrets import ensure_token
from tests.support.attacks import attack


def test_services_that_start_at_once_get_the_same_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        tokens = set(pool.map(lambda _: ensure_token(tmp_path / "state" / "token"), range(100)))
    assert len(tokens) == 1
    assert len(tokens.pop()) >= 32
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["token"]


@attack(
    threat="Another user of the machine reads the token",
    control="The file is its owner's alone",
    file="containers/base/src/ai_semble/secrets.py",
)
def test_only_its_owner_can_read_the_token(tmp_path: Path) -> None:
    ensure_token(tmp_path / "token")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


@attack(
    threat="An empty token file lets everybody in",
    control="An empty token is refused",
    file="containers/base/src/ai_semble/secrets.py",
)
def test_an_empty_token_opens_no_door(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    with pytest.raises(AiSembleError) as caught:
        ensure_token(tmp_path / "token")
    assert "token" in caught.value.detail
    assert caught.value.user_hint
