"""Fetching one file over a network that does not behave."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from ai_services.models.download import Downloader
from ai_services.models.errors import ChecksumMismatch, DiskFull, SourceUnavailable
from ai_services.models.sources import web
from ai_services.models.sources.remote import Remote
from ai_services.models.sources.web import WebClient
from tests.support.mirror import Mirror
from tests.unit.models.conftest import Told

BODY = os.urandom(300_000)
DIGESTS = {"sha256": hashlib.sha256(BODY).hexdigest()}


@pytest.fixture
def downloader(told: Told) -> Downloader:
    return Downloader(WebClient({}), told, pause=0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "work" / "file.bin"


def remote(net: Mirror, **facts: object) -> Remote:
    return Remote(f"{net.base}/file.bin", "file.bin", **{"size": len(BODY), "digests": DIGESTS, **facts})  # type: ignore[arg-type]


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def test_a_file_is_fetched_and_nothing_else_is_left(
    net: Mirror, downloader: Downloader, target: Path
) -> None:
    net.put("/file.bin", BODY)
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY
    assert leftovers(target) == []


def test_what_was_fetched_is_not_fetched_again(net: Mirror, downloader: Downloader, target: Path) -> None:
    net.put("/file.bin", BODY)
    downloader.fetch(remote(net), target)
    downloader.fetch(remote(net), target)
    assert net.count("GET", "/file.bin") == 1


def test_a_broken_connection_is_continued_where_it_broke(
    net: Mirror, downloader: Downloader, target: Path, told: Told
) -> None:
    net.put("/file.bin", BODY, breaks_after=[100_000, 50_000])
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY
    assert net.served["/file.bin"] == len(BODY)
    ranges = [headers.get("Range") for _, _, headers in net.requests]
    assert ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert told.ends == [("file.bin", len(BODY), len(BODY))]


def test_the_next_run_continues_what_the_last_one_began(
    net: Mirror, downloader: Downloader, target: Path
) -> None:
    net.put("/file.bin", BODY, breaks_after=[120_000, *[0] * 5])
    with pytest.raises(SourceUnavailable, match="broke off after 120000 of 300000"):
        downloader.fetch(remote(net), target)
    assert not target.exists()
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY
    assert net.served["/file.bin"] == len(BODY)


def test_a_file_that_changed_meanwhile_starts_anew(net: Mirror, downloader: Downloader, target: Path) -> None:
    net.put("/file.bin", os.urandom(300_000), breaks_after=[120_000, *[0] * 5])
    with pytest.raises(SourceUnavailable):
        downloader.fetch(remote(net), target)
    net.put("/file.bin", BODY)
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY


def test_a_server_without_ranges_is_read_from_the_start(
    net: Mirror, downloader: Downloader, target: Path, told: Told
) -> None:
    net.put("/file.bin", BODY, ranges=False, breaks_after=[100_000])
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY
    assert net.served["/file.bin"] == len(BODY) + 100_000
    assert told.ends == [("file.bin", len(BODY), len(BODY))]


def test_without_validator_and_digest_nothing_is_continued(
    net: Mirror, downloader: Downloader, target: Path
) -> None:
    net.put("/file.bin", BODY, etag="", breaks_after=[100_000])
    downloader.fetch(remote(net, digests={}), target)
    assert target.read_bytes() == BODY
    assert all("Range" not in headers for _, _, headers in net.requests)


def test_wrong_contents_are_refused_and_thrown_away(
    net: Mirror, downloader: Downloader, target: Path
) -> None:
    net.put("/file.bin", BODY[:-1] + b"!")
    with pytest.raises(ChecksumMismatch, match="sha256 is"):
        downloader.fetch(remote(net), target)
    assert not target.exists()
    assert leftovers(target) == []


def test_a_wrong_beginning_is_noticed_and_the_whole_fetched_anew(
    net: Mirror, downloader: Downloader, target: Path, told: Told
) -> None:
    net.put("/file.bin", BODY)
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(b"x" * 1000)
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY
    assert any("starting anew" in line for line in told.warnings)


def test_a_beginning_that_is_too_long_is_thrown_away(
    net: Mirror, downloader: Downloader, target: Path
) -> None:
    net.put("/file.bin", BODY)
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(BODY + b"more")
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY


def test_a_missing_file_is_said_at_once(net: Mirror, downloader: Downloader, target: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"/file\.bin answered 404"):
        downloader.fetch(remote(net), target)
    assert net.count("GET", "/file.bin") == 1


def test_a_busy_server_is_asked_again(net: Mirror, downloader: Downloader, target: Path) -> None:
    net.put("/file.bin", BODY, refusals=[503, 429])
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY


def test_a_silent_server_is_left_and_continued(
    net: Mirror, downloader: Downloader, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "SILENCE_TIMEOUT_S", 0.2)
    slow = net.put("/file.bin", BODY, pause=1.0)
    threading.Timer(0.5, lambda: setattr(slow, "pause", 0.0)).start()
    downloader.fetch(remote(net), target)
    assert target.read_bytes() == BODY


def test_a_host_that_is_not_there_is_said_and_not_asked_twice(downloader: Downloader, target: Path) -> None:
    nowhere = Remote("http://127.0.0.1:1/file.bin", "file.bin")
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            downloader.fetch(nowhere, target)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_what_was_fetched_is_kept(
    net: Mirror, downloader: Downloader, small_disk: Path
) -> None:
    net.put("/file.bin", BODY)
    target = small_disk / "file.bin"
    with pytest.raises(DiskFull, match="is full"):
        downloader.fetch(remote(net), target)
    assert target.with_name("file.bin.part").stat().st_size > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> object:
    import subprocess  # noqa: PLC0415 - this fixture's only

    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)
