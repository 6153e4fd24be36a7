"""The certificate with which the orchestrator meets other machines: read, judged, and taken anew when it changes."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_semble.errors import BadCertificate
from ai_semble.logs import get_logger

log = get_logger(__name__)
# Of TLS 1.2, those with forward secrecy and authenticated encryption; TLS 1.3 has no others.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for: what has expired is read, too.
_AT_ANY_TIME = 0x200000
_SOON_S = 14 * 86_400.0
HOW = "./scripts/deploy.sh certificate install CERTIFICATE KEY"


@dataclass(frozen=True)
class Certificate:
    """What a certificate says: the names that it is for, and its time in seconds since 1970."""

    names: tuple[str, ...]
    begins_at: float
    expires_at: float

    def trouble(self, now: float) -> str:
        """What is wrong with it at this time, as a sentence; empty when nothing is."""
        if now >= self.expires_at:
            return f"The certificate expired on {_day(self.expires_at)}; renew it, then: {HOW}"
        if now < self.begins_at:
            return f"The certificate is not valid before {_day(self.begins_at)}; is the clock right?"
        return ""


class Certificates:
    """The file with certificate and key, read again at the first handshake after it has changed.

    A new one that cannot be used is reported once, and the one before goes on.
    """

    def __init__(self, file: Path, calendar: Callable[[], float] = time.time) -> None:
        """Raises BadCertificate."""
        self._file = file
        self._calendar = calendar
        self._stamp = _stamp(file)
        self._context, self._certificate = read(file)
        # What is said to a client before its name is known; the handshake then goes on with what is there now.
        self.context = _context(file)
        self.context.sni_callback = self._take_present

    def present(self) -> Certificate:
        self._look()
        return self._certificate

    def trouble(self) -> str:
        return self.present().trouble(self._calendar())

    def ends_soon(self) -> bool:
        return self._calendar() >= self.present().expires_at - _SOON_S

    def _take_present(self, handshake: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        self._look()
        handshake.context = self._context

    def _look(self) -> None:
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._context, self._certificate = read(self._file)
        except BadCertificate as error:
            log.error("certificate_not_taken", reason=error.detail, hint=error.user_hint)  # noqa: TRY400 - said whole
        else:
            log.info("certificate_taken", expires=_day(self._certificate.expires_at))


def read(file: Path) -> tuple[ssl.SSLContext, Certificate]:
    """What serves with this file of certificate, chain and key, and what it says. Raises BadCertificate."""
    context = _context(file)
    try:
        return context, _described(context, file)
    except (OSError, KeyError, ValueError) as error:  # it was changed or taken away meanwhile
        raise BadCertificate(f"{file} cannot be read whole: {error}") from error


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        _check_parts(file.read_bytes())
        context.load_cert_chain(file, password=_refuse_encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadCertificate("The key is not the one of the first certificate") from error
        raise BadCertificate(f"Certificate or key is damaged ({error.reason or error})") from error
    except OSError as error:
        raise BadCertificate(f"{file} cannot be read: {error.strerror}") from error
    return context


def _check_parts(pem: bytes) -> None:
    for part, mark in (("certificate", b"-----BEGIN CERTIFICATE-----"), ("key", b"PRIVATE KEY-----")):
        if mark not in pem:
            raise BadCertificate(f"There is no {part} in PEM")


def _refuse_encrypted() -> str:
    raise BadCertificate(
        "The key is encrypted, and nobody is there to type its password at a start",
        hint="Take the password off: openssl pkey -in KEY -out NEW_KEY; the new file needs its owner's eyes only.",
    )


def _described(server: ssl.SSLContext, file: Path) -> Certificate:
    """By a handshake in memory with ourselves: the standard library shows a certificate only to who has verified it."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags = ssl.VerifyFlags(ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _AT_ANY_TIME)
    client.load_verify_locations(file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (asking, answering, asking):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLError as error:
        raise BadCertificate(f"The certificate is not one for a server ({error.reason or error})") from error
    told: Any = asking.getpeercert() or {}
    names = tuple(value for _, value in told.get("subjectAltName", ()))
    begins, ends = (ssl.cert_time_to_seconds(told[key]) for key in ("notBefore", "notAfter"))
    return Certificate(names, begins, ends)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
