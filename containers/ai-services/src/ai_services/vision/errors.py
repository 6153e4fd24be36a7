"""What can be wrong with a picture."""

from __future__ import annotations

from ai_semble.errors import AiSembleError


class ImageUnreadable(AiSembleError):
    """The bytes begin like a picture of a known format, but cannot be decoded."""

    code, status, title = "image_unreadable", 422, "The picture could not be read"
    hint = "Open and save the picture again with an image program, then send the new file."


class ImageTruncated(AiSembleError):
    """The picture file ends before the picture does."""

    code, status, title = "image_truncated", 422, "The picture is cut off"
    hint = "Send the whole file; compare its size with the original."


class ImageFormatUnsupported(AiSembleError):
    """The bytes are not a picture in a format that is read: PNG, JPEG, WebP, GIF, BMP, TIFF."""

    code, status, title = "image_format_unsupported", 415, "The picture format is not supported"
    hint = "Send PNG, JPEG, WebP, GIF, BMP or TIFF."


class ImageTooLarge(AiSembleError):
    """The picture has more pixels than are accepted. It was not decoded."""

    code, status, title = "image_too_large", 413, "The picture has too many pixels"
    hint = "Send a smaller picture, or raise `vision.max_megapixels`."


class ImageTooSmall(AiSembleError):
    """A side of the picture is so short that nothing could be recognised."""

    code, status, title = "image_too_small", 422, "The picture is too small"
    hint = "Send a picture with at least 8 pixels on each side."


class ImageUrlNotFetched(AiSembleError):
    """The vision service itself fetches nothing. The orchestrator does, and hands the bytes on."""

    code, status, title = "image_url_not_fetched", 422, "The service fetches no URLs"
    hint = "Ask the orchestrator (port 8080), or send the picture as a data: URL, base64 or multipart."
