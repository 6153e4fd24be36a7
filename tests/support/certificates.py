"""Certificates that live for one test, made by OpenSSL's own program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE, RSA = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("-newkey", "rsa:2048")
NAMES = "DNS:gpu-box.example,DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, each a file in PEM."""

    certificate: Path
    key: Path

    @property
    def pem(self) -> bytes:
        return self.certificate.read_bytes() + self.key.read_bytes()


def self_signed(
    folder: Path,
    name: str = "self",
    *,
    kind: tuple[str, ...] = CURVE,
    names: str = NAMES,
    usage: str = "serverAuth",
) -> Pair:
    """Good for 30 days from now on."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={name}", *kind),
        *("-addext", f"subjectAltName={names}", "-addext", f"extendedKeyUsage={usage}"),
        *("-keyout", str(pair.key), "-out", str(pair.certificate)),
    )
    return pair


def expired(folder: Path) -> Pair:
    """Good in January 2020."""
    pair = Pair(folder / "expired.crt", folder / "expired.key")
    request, settings = folder / "expired.csr", folder / "ca.cnf"
    settings.write_text(
        "[ca]\ndefault_ca = own\n[own]\nnew_certs_dir = .\ndatabase = index\nserial = serial\ndefault_md = sha256\n"
        "policy = any\n[any]\ncommonName = supplied\n"
    )
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    subject = ("-subj", "/CN=expired", "-keyout", str(pair.key), "-out", str(request))
    _openssl("req", "-new", "-nodes", *CURVE, *subject)
    dates = ("-startdate", "20200101000000Z", "-enddate", "20200131000000Z")
    signing = ("-config", str(settings), "-selfsign", "-keyfile", str(pair.key), "-in", str(request))
    _openssl("ca", "-batch", *signing, *dates, "-out", str(pair.certificate), folder=folder)
    return pair


def encrypted(folder: Path, pair: Pair) -> Pair:
    """The same with a password on its key."""
    key = folder / "encrypted.key"
    _openssl("pkey", "-in", str(pair.key), "-aes256", "-passout", "pass:secret", "-out", str(key))
    return Pair(pair.certificate, key)


def _openssl(*words: str, folder: Path | None = None) -> None:
    done = subprocess.run(
        ["openssl", *words], capture_output=True, text=True, cwd=folder, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
