"""What of this machine's own network a host needs: certificates, proxies, the package index. Never committed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
INDEXES = {"PIP_INDEX_URL": "index-url", "PIP_EXTRA_INDEX_URL": "extra-index-url"}
# Where it lies in a host.
HOST_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
HOST_BASE_IMAGE = "localhost/debian:trixie"


def ca_bundle() -> str:
    """The certificates that this machine trusts."""
    given = [
        os.environ.get(name, "") for name in ("AI_SEMBLE_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    ]
    return next((path for path in (*given, *BUNDLES) if path and Path(path).is_file()), "")


def environment() -> str:
    """The host's /etc/environment: what a user behind this machine's network would have set."""
    variables = {name: value for name in PROXIES if (value := os.environ.get(name, ""))}
    variables |= {name: value for name, key in INDEXES.items() if (value := _index(name, key))}
    variables["AI_SEMBLE_BASE_IMAGE"] = HOST_BASE_IMAGE
    if ca_bundle():
        variables["AI_SEMBLE_CA_BUNDLE"] = HOST_BUNDLE
    return "".join(f'{name}="{value}"\n' for name, value in variables.items())


def _index(variable: str, key: str) -> str:
    """The addresses of pip's setting that mean something on another machine, too."""
    value = os.environ.get(variable, "")
    for section in ("global", "install"):
        value = value or _pip_setting(f"{section}.{key}")
    return " ".join(address for address in value.split() if address.startswith(("http://", "https://")))


def _pip_setting(name: str) -> str:
    for python in (sys.executable, "python3"):
        words = [python, "-m", "pip", "config", "get", name]
        answer = subprocess.run(words, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.strip()
    return ""
