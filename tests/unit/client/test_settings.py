"""Where the environment is: arguments before variables before the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_semble_client import Client, Settings
from ai_semble_client.errors import InvalidSettings
from ai_semble_client.settings import settings_file
from tests.support.certificates import self_signed


def written(text: str, mode: int = 0o600) -> Path:
    path = settings_file()
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_without_anything_it_is_this_machine() -> None:
    settings = Settings.load()
    assert (settings.url, settings.api_key) == ("http://localhost:8080", "")
    assert settings.is_local


def test_an_argument_goes_before_a_variable_and_a_variable_before_the_file() -> None:
    written('url = "http://file:1"\napi_key = "ais_file"\nretries = 7\n')
    variables = {**os.environ, "AI_SEMBLE_URL": "http://variable:2", "AI_SEMBLE_API_KEY": "ais_variable"}
    settings = Settings.load(variables, url="http://argument:3")
    assert (settings.url, settings.api_key, settings.retries) == ("http://argument:3", "ais_variable", 7)
    assert Settings.load(variables).url == "http://variable:2"
    assert Settings.load().url == "http://file:1"


def test_the_file_is_not_where_containers_see_it() -> None:
    assert settings_file({"HOME": "/home/me"}) == Path("/home/me/.config/ai-semble-client/config.toml")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('adress = "x"', "adress"),
        ("url = 8080", "wrong type"),
        ("retries = true", "wrong type"),
        ("url = ", "cannot be read"),
    ],
)
def test_a_file_with_a_mistake_is_refused(text: str, word: str) -> None:
    written(text)
    with pytest.raises(InvalidSettings, match=word) as caught:
        Settings.load()
    assert caught.value.hint


def test_a_key_that_others_may_read_is_refused() -> None:
    written('api_key = "ais_secret"', 0o644)
    with pytest.raises(InvalidSettings) as caught:
        Settings.load()
    assert "chmod 600" in caught.value.hint
    assert "ais_secret" not in f"{caught.value}{caught.value.hint}"


def test_a_key_is_not_shown() -> None:
    assert "ais_secret" not in repr(Settings(api_key="ais_secret"))


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings):
        Settings(url)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]", True),
        ("http://a.localhost", True),
        ("https://gpu-box", False),
    ],
)
def test_no_proxy_is_asked_for_this_machine(url: str, is_local: bool) -> None:
    assert Settings(url).is_local is is_local


def test_certificates_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be used"):
        Client(settings=Settings("https://gpu-box", ca_file=str(tmp_path / "none.pem")))
    pair = self_signed(tmp_path)
    Client(settings=Settings("https://gpu-box", ca_file=str(pair.certificate))).close()
