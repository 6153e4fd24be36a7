"""What a certificate says, what is refused as one, and how another takes its place."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ai_semble.cli import create_cli
from ai_semble.errors import AiSembleError, BadCertificate
from ai_semble.tls import Certificates, read
from tests.support.certificates import CURVE, RSA, Pair, encrypted, expired, self_signed

DAY_S = 86_400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def pair(folder: Path) -> Pair:
    return self_signed(folder)


def written(file: Path, pem: bytes) -> Path:
    file.write_bytes(pem)
    return file


def test_a_certificate_tells_its_names_and_times(pair: Pair, tmp_path: Path) -> None:
    said = read(written(tmp_path / "both.pem", pair.pem))[1]
    assert said.names == ("gpu-box.example", "localhost", "127.0.0.1")
    assert said.expires_at - said.begins_at == 30 * DAY_S
    assert said.trouble(said.begins_at + 1) == ""
    assert "not valid before" in said.trouble(said.begins_at - 1)


def test_an_expired_certificate_is_read_and_says_since_when(tmp_path: Path) -> None:
    certificates = Certificates(written(tmp_path / "both.pem", expired(tmp_path).pem))
    assert "expired on 2020-01-31" in certificates.trouble()
    assert certificates.ends_soon()


def test_what_cannot_be_used_is_refused_with_its_reason(pair: Pair, folder: Path, tmp_path: Path) -> None:
    other = self_signed(folder, "other")
    secret = encrypted(folder, pair)
    client = self_signed(folder, "client", usage="clientAuth")
    refused = {
        "not the one": Pair(pair.certificate, other.key).pem,
        "no key": pair.certificate.read_bytes(),
        "no certificate": pair.key.read_bytes(),
        "encrypted": secret.pem,
        "damaged": pair.pem.replace(b"\nMII", b"\nMMM", 1),
        "not one for a server": client.pem,
    }
    for reason, pem in refused.items():
        with pytest.raises(BadCertificate, match=reason) as found:
            read(written(tmp_path / "both.pem", pem))
        assert found.value.user_hint
    with pytest.raises(BadCertificate, match="No such file"):
        read(tmp_path / "absent.pem")


def presented(certificates: Certificates) -> bytes:
    """The certificate that a client is shown, in DER."""
    asking = ssl.create_default_context()
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = certificates.context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.getpeercert(binary_form=True) or b""


def test_another_certificate_is_taken_with_the_next_handshake_even_of_another_kind(
    folder: Path, tmp_path: Path
) -> None:
    old, new = self_signed(folder, "old", kind=RSA), self_signed(folder, "new", kind=CURVE)
    file = written(tmp_path / "both.pem", old.pem)
    certificates = Certificates(file)
    assert presented(certificates) == ssl.PEM_cert_to_DER_cert(old.certificate.read_text())
    written(tmp_path / "draft", new.pem).replace(file)
    assert presented(certificates) == ssl.PEM_cert_to_DER_cert(new.certificate.read_text())


def test_a_new_certificate_that_cannot_be_used_changes_nothing(pair: Pair, tmp_path: Path) -> None:
    file = written(tmp_path / "both.pem", pair.pem)
    certificates = Certificates(file)
    before = presented(certificates)
    written(tmp_path / "draft", b"nonsense").replace(file)
    assert presented(certificates) == before
    file.unlink()
    assert presented(certificates) == before


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for kind in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    return tmp_path / "state" / "ai-semble" / "default"


def test_the_command_installs_shows_and_removes(pair: Pair, state: Path) -> None:
    run = CliRunner()
    done = run.invoke(create_cli(), ["certificate", "install"], input=pair.pem)
    assert done.exit_code == 0, done.output
    file = state / "certificate.pem"
    assert file.read_bytes() == pair.pem
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [found.name for found in state.iterdir()] == ["certificate.pem"]
    assert "gpu-box.example" in run.invoke(create_cli(), ["certificate", "show"]).output
    assert run.invoke(create_cli(), ["certificate", "remove"]).exit_code == 0
    assert not file.exists()
    missing = run.invoke(create_cli(), ["certificate", "show"])
    assert isinstance(missing.exception, AiSembleError)


def test_the_command_keeps_the_old_one_when_the_new_one_is_bad(pair: Pair, state: Path) -> None:
    run = CliRunner()
    run.invoke(create_cli(), ["certificate", "install"], input=pair.pem)
    refused = run.invoke(create_cli(), ["certificate", "install"], input=pair.certificate.read_bytes())
    assert isinstance(refused.exception, BadCertificate)
    assert (state / "certificate.pem").read_bytes() == pair.pem
    assert [found.name for found in state.iterdir()] == ["certificate.pem"]
