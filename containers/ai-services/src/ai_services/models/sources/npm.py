"""Finds a package's tarball on the npm registry that npm would use.

Source: npm's registry documentation, "package metadata" (the abbreviated form).
"""

from __future__ import annotations

import base64
import json
from urllib.error import HTTPError
from urllib.parse import quote

from ai_services.models.errors import SourceUnavailable
from ai_services.models.sources.npm_settings import NpmSettings
from ai_services.models.sources.remote import Remote
from ai_services.models.sources.web import WHAT_BREAKS, WebClient, describe, public

ACCEPT = "application/vnd.npm.install-v1+json, application/json;q=0.8"
LONGEST_PAGE = 64 * 1024 * 1024


def find_package(client: WebClient, settings: NpmSettings, package: str) -> Remote:
    """The tarball of `NAME@VERSION`. Raises SourceUnavailable that says what the registry answered."""
    name, _, version = package.rpartition("@")
    registry = settings.registry_of(name)
    client.authorisations |= settings.authorisations
    page = f"{registry.rstrip('/')}/{quote(name, safe='@')}"
    try:
        body, _headers = client.read(page, limit=LONGEST_PAGE, headers={"Accept": ACCEPT})
        distribution = json.loads(body)["versions"][version]["dist"]
        address = str(distribution["tarball"])
    except HTTPError as error:
        raise SourceUnavailable(f"{public(page)} {describe(error)}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SourceUnavailable(f"{public(registry)} has no {package}") from error
    except WHAT_BREAKS as error:
        raise SourceUnavailable(f"{public(page)}: {describe(error)}") from error
    return Remote(address, address.rpartition("/")[2], None, _digests(distribution))


def _digests(distribution: dict[str, object]) -> dict[str, str]:
    """npm's `integrity` (`sha512-BASE64`, several by spaces) and `shasum` as hexadecimal digests."""
    digests = {}
    for item in str(distribution.get("integrity", "")).split():
        algorithm, _, text = item.partition("-")
        digests[algorithm] = base64.b64decode(text).hex()
    if not digests and distribution.get("shasum"):
        digests["sha1"] = str(distribution["shasum"])
    return digests
