"""The installer is found through the user's own package index, and a broken download goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from index_settings import DEFAULT_INDEX, IndexSettings, SetupError
from package_index import PackageIndex
from tests.support.package_index import FakeIndex, serving_packages
from tests.support.serving import free_port

NAME = "tool-1.0-py3-none-any.whl"
CONTENT = os.urandom(700_000)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("package_index.time.sleep", lambda _: None)


def fetch(index: FakeIndex, folder: Path, **settings: object) -> Path:
    made = IndexSettings(index_url=index.url, **settings)  # type: ignore[arg-type]
    return PackageIndex(made).fetch("tool", NAME, index.sha256(NAME), folder)


@pytest.mark.parametrize("speaks_json", [True, False])
def test_a_file_is_fetched_from_either_kind_of_index(tmp_path: Path, speaks_json: bool) -> None:
    with serving_packages(FakeIndex({"other.whl": b"", NAME: CONTENT}, speaks_json)) as index:
        assert fetch(index, tmp_path).read_bytes() == CONTENT


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path, quiet: None) -> None:
    with serving_packages(FakeIndex({NAME: CONTENT}, break_after=300_000)) as index:
        assert fetch(index, tmp_path).read_bytes() == CONTENT
        assert f"/files/{NAME} bytes=300000-" in index.asked


def test_a_login_in_the_address_is_sent_and_not_shown(tmp_path: Path, quiet: None) -> None:
    with serving_packages(FakeIndex({NAME: CONTENT}, login="me:secret")) as index:
        assert fetch(index, tmp_path).exists()
        index.login = "me:changed"
        wrong = IndexSettings(index_url=index.url.replace("changed", "secret"))
        with pytest.raises(SetupError) as caught:
            PackageIndex(wrong).fetch("tool", NAME, "", tmp_path / "x")
    assert str(caught.value) == f"127.0.0.1 answered 401 for {NAME}"


def test_a_changed_file_is_refused_and_not_kept(tmp_path: Path) -> None:
    with serving_packages(FakeIndex({NAME: CONTENT})) as index, pytest.raises(SetupError, match="sha256"):
        PackageIndex(IndexSettings(index_url=index.url)).fetch("tool", NAME, "0" * 64, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_one_line_with_a_hint(tmp_path: Path, quiet: None) -> None:
    settings = IndexSettings(index_url=f"http://127.0.0.1:{free_port()}/simple")
    with pytest.raises(SetupError) as caught:
        PackageIndex(settings).fetch("tool", NAME, "", tmp_path)
    assert "cannot be reached" in str(caught.value)
    assert "HTTPS_PROXY" in caught.value.hint


def test_a_folder_of_wheels_is_enough_without_any_index(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(CONTENT)
    index = FakeIndex({NAME: CONTENT})
    assert fetch(index, tmp_path, find_links=(str(tmp_path / "wheels"),), no_index=True).exists()


def test_an_extra_index_is_asked_too(tmp_path: Path) -> None:
    with serving_packages(FakeIndex({})) as empty, serving_packages(FakeIndex({NAME: CONTENT})) as full:
        settings = IndexSettings(index_url=empty.url, extra_index_urls=(full.url,))
        assert PackageIndex(settings).fetch("tool", NAME, full.sha256(NAME), tmp_path).exists()


def test_a_file_that_nobody_has_names_the_index(tmp_path: Path) -> None:
    with serving_packages(FakeIndex({"other.whl": b""})) as index, pytest.raises(SetupError) as caught:
        PackageIndex(IndexSettings(index_url=index.url)).fetch("tool", NAME, "", tmp_path)
    assert str(caught.value) == f"127.0.0.1 does not have {NAME}"


def test_an_unreadable_ca_bundle_is_said(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        PackageIndex(IndexSettings(cert=str(tmp_path / "gone.pem")))
    assert "SSL_CERT_FILE" in caught.value.hint


def variables(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), **more}


def test_pips_settings_are_understood(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://mirror.example/simple\ncert = /ca.pem\ntimeout = 7\n"
        "trusted-host = a.example\n  b.example\n[install]\nfind_links = /wheels\nno-index = true\n"
    )
    found = IndexSettings.read(variables(tmp_path))
    assert found == IndexSettings(
        index_url="https://mirror.example/simple",
        extra_index_urls=found.extra_index_urls,
        find_links=("/wheels",),
        no_index=True,
        cert="/ca.pem",
        trusted_hosts=("a.example", "b.example"),
        timeout_s=7,
    )


def test_variables_go_before_files_and_uvs_before_pips(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://file.example\n")
    pip = variables(tmp_path, PIP_INDEX_URL="https://pip.example")
    assert IndexSettings.read(pip).index_url == "https://pip.example"
    assert (
        IndexSettings.read({**pip, "UV_DEFAULT_INDEX": "https://uv.example"}).index_url
        == "https://uv.example"
    )


def test_the_null_file_switches_pips_files_off() -> None:
    assert IndexSettings.read({"PIP_CONFIG_FILE": os.devnull}) == IndexSettings()


def test_a_broken_pip_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("no section")
    with pytest.raises(SetupError, match=r"pip\.conf cannot be read"):
        IndexSettings.read(variables(tmp_path))


def test_uv_gets_the_same_settings_unless_the_user_set_its_own() -> None:
    settings = IndexSettings(
        "https://mirror.example", ("https://more.example",), ("/a", "/b"), cert="/ca.pem"
    )
    given = settings.uv_variables({"UV_INDEX": "https://mine.example"})
    assert given["UV_DEFAULT_INDEX"] == "https://mirror.example"
    assert given["UV_INDEX"] == "https://mine.example"
    assert given["UV_FIND_LINKS"] == "/a,/b"
    assert given["SSL_CERT_FILE"] == "/ca.pem"
    assert "UV_DEFAULT_INDEX" not in IndexSettings().uv_variables({})
    assert IndexSettings().index_url == DEFAULT_INDEX
