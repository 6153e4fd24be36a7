"""What can be wrong with a URL that is to be fetched."""

from __future__ import annotations

from ai_semble.errors import AiSembleError


class InvalidUrl(AiSembleError):
    """The URL cannot be read, or it is not one that is fetched: only http and https are."""

    code, status, title = "invalid_url", 422, "The URL is not usable"
    hint = "Give a complete URL such as `https://example.com/image.jpg`, or send the bytes themselves."


class UrlNotAllowed(AiSembleError):
    """The URL leads, directly or by a redirect, to an address or a port that requests may not reach.

    Private, loopback, link-local, metadata and reserved addresses are refused whatever name stands for them.
    """

    code, status, title = "url_not_allowed", 403, "The URL may not be fetched"
    hint = (
        "Use a public address, or send the bytes themselves. A server of your own can be allowed with "
        "`fetch.allowed_private_hosts`."
    )


class UrlFetchFailed(AiSembleError):
    """The server of the URL could not be reached, or did not give the file."""

    code, status, title = "url_fetch_failed", 424, "The URL could not be fetched"
    hint = "Open the URL in a browser to see whether it works; or send the bytes themselves."


class UrlTimeout(AiSembleError):
    """The server of the URL took longer than `fetch.timeout_s` for the whole file."""

    code, status, title = "url_timeout", 424, "The URL took too long"
    hint = "Try again, send the bytes themselves, or raise `fetch.timeout_s`."


class UrlTooLarge(AiSembleError):
    """The file behind the URL is longer than `fetch.max_bytes`, as sent or after decompression."""

    code, status, title = "url_too_large", 422, "The file behind the URL is too large"
    hint = "Use a smaller file, or raise `fetch.max_bytes`."


class UrlWrongType(AiSembleError):
    """The server says that the URL holds something else than what is asked for, such as a web page."""

    code, status, title = "url_wrong_type", 422, "The URL holds something else"
    hint = "Use the address of the file itself, not of a page that shows it."
