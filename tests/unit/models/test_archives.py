"""Taking members out of archives that mean harm."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ai_services.models import archives
from ai_services.models.archives import Wanted, extract
from ai_services.models.errors import UnsafeArchive
from tests.support.attacks import attack
from tests.support.mirror import tarball, wheel

MEMBERS = {"pkg/model.onnx": b"weights" * 1000, "pkg/sub/a.txt": b"a", "pkg/sub/b/c.txt": b"c", "pkg/z": b"z"}


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


@pytest.mark.parametrize("make", [wheel, tarball])
def test_wanted_members_and_folders_are_taken_and_nothing_else(tmp_path: Path, make: object) -> None:
    archive = write(tmp_path / "a", make(MEMBERS))  # type: ignore[operator]
    found = extract(
        archive, [Wanted("pkg/model.onnx"), Wanted("pkg/sub/"), Wanted("pkg/none")], tmp_path / "out"
    )
    assert set(found) == {"pkg/model.onnx", "pkg/sub/"}
    assert found["pkg/model.onnx"].read_bytes() == MEMBERS["pkg/model.onnx"]
    assert (found["pkg/sub/"] / "b" / "c.txt").read_bytes() == b"c"
    assert not list((tmp_path / "out").rglob("z"))


@pytest.mark.parametrize("make", [wheel, tarball])
@pytest.mark.parametrize("name", ["pkg/../../evil", "pkg/a/../../../evil", "pkg//../evil", "pkg/..\\evil"])
def test_a_path_that_leaves_its_folder_is_refused(tmp_path: Path, make: object, name: str) -> None:
    archive = write(tmp_path / "a", make({name: b"evil"}))  # type: ignore[operator]
    with pytest.raises(UnsafeArchive, match="leaves the folder"):
        extract(archive, [Wanted("pkg/")], tmp_path / "out" / "deep")
    assert not (tmp_path / "evil").exists() and not (tmp_path / "out" / "evil").exists()


@attack(
    threat="A model's archive with a symlink or a device in it",
    control="Only plain files are taken out of archives",
    file="containers/ai-services/src/ai_services/models/archives.py",
)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("pkg/link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(UnsafeArchive, match="link or a device"):
        extract(write(tmp_path / "a", buffer.getvalue()), [Wanted("pkg/")], tmp_path / "out")


@pytest.mark.parametrize("make", [wheel, tarball])
def test_a_member_longer_than_the_catalogue_says_is_refused(tmp_path: Path, make: object) -> None:
    archive = write(tmp_path / "a", make(MEMBERS))  # type: ignore[operator]
    with pytest.raises(UnsafeArchive, match="7000 bytes where 6999"):
        extract(archive, [Wanted("pkg/model.onnx", 6999)], tmp_path / "out")


@attack(
    threat="A model's zip file that lies about a length",
    control="The length of each file is pinned",
    file="containers/ai-services/src/ai_services/models/archives.py",
)
def test_a_zip_file_that_lies_about_a_length_is_refused(tmp_path: Path) -> None:
    body = bytearray(wheel({"pkg/model": b"0" * 1000}))
    honest = (1000).to_bytes(4, "little")
    while honest in body:
        position = body.index(honest)
        body[position : position + 4] = (10).to_bytes(4, "little")
    with pytest.raises(UnsafeArchive):
        extract(write(tmp_path / "a", bytes(body)), [Wanted("pkg/model", 10)], tmp_path / "out")


@attack(
    threat="A model's archive that unpacks to more than it says",
    control="The length of each file is pinned",
    file="containers/ai-services/src/ai_services/models/archives.py",
)
def test_a_tar_bomb_is_refused_before_it_is_read_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ALLOWANCE", 1024 * 1024)
    archive = write(tmp_path / "a", tarball({"pkg/zeros": bytes(20_000_000), "pkg/model": b"x"}))
    with pytest.raises(UnsafeArchive, match="out of all proportion"):
        extract(archive, [Wanted("pkg/model")], tmp_path / "out")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 10)
    for make in (wheel, tarball):
        archive = write(tmp_path / "a", make({f"pkg/{index}": b"" for index in range(20)}))
        with pytest.raises(UnsafeArchive, match="more than 10 members"):
            extract(archive, [Wanted("pkg/")], tmp_path / "out")


def damaged_archives() -> dict[str, bytes]:
    encrypted = bytearray(wheel({"pkg/model": b"secret"}))
    with zipfile.ZipFile(io.BytesIO(bytes(encrypted))) as archive:
        central = archive.start_dir
    encrypted[central + 8] |= 1
    return {
        "nothing": b"",
        "noise": bytes(range(256)) * 10,
        "half a zip": wheel(MEMBERS)[:200],
        "half a tar": tarball(MEMBERS)[:100],
        "a flipped bit": wheel(MEMBERS).replace(b"pkg/model.onnx", b"pkg/nodel.onnx", 1),
        "an encrypted member": bytes(encrypted),
    }


@pytest.mark.parametrize("what", damaged_archives())
def test_a_damaged_archive_is_said(tmp_path: Path, what: str) -> None:
    archive = write(tmp_path / "a", damaged_archives()[what])
    wanted = [Wanted("pkg/model.onnx"), Wanted("pkg/model")]
    with pytest.raises(UnsafeArchive, match="is damaged"):
        extract(archive, wanted, tmp_path / "out")
