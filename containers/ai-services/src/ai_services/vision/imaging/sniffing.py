"""What a file is, by its first bytes. Declared content types are not believed."""

from __future__ import annotations

import struct
from typing import Literal

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"%PDF-", "PDF document"),
    (b"8BPS", "Photoshop document"),
    (b"\0\0\1\0", "Windows icon"),
    (b"\xff\x0a", "JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "JPEG XL picture"),
    (b"PK\3\4", "zip archive"),
    (b"\x1f\x8b", "gzip archive"),
)


def sniff(data: bytes) -> str:
    """One of FORMATS, or what else it is, in words for a message."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    return _text(data)


def _iso_media(data: bytes) -> str:
    brand = data[8:12]
    if brand in _HEIC_BRANDS:
        return "HEIC picture"
    return "AVIF picture" if brand in (b"avif", b"avis") else "video"


def _text(data: bytes) -> str:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "SVG drawing"
    if head.startswith((b"<!doctype html", b"<html")):
        return "web page"
    try:
        data[:512].decode("utf-8")
    except UnicodeDecodeError as error:
        return "text file" if error.start >= 509 else "file of an unknown kind"
    return "text file"


def is_cut_off(data: bytes, format_: str) -> bool:
    """Whether the file itself says that bytes are missing at its end."""
    match format_:
        case "PNG":
            return b"IEND" not in data[-1024:]
        case "JPEG":
            return not data.rstrip(b"\0\r\n ").endswith(b"\xff\xd9")
        case "WEBP":
            return _uint32(data, 4) + 8 > len(data)
        case "GIF":
            return not data.rstrip(b"\0").endswith(b";")
        case "BMP":
            return _uint32(data, 2) > len(data)
        case _:  # TIFF: where its directory is, which is often the last thing in the file
            order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
            return int.from_bytes(data[4:8], order) + 2 > len(data)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header; (0, 0) where there is none.

    Pillow's decoder sets memory for the whole canvas aside as soon as it opens a file: look first.
    Layout: developers.google.com/speed/webp/docs/riff_container.
    """
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L" and len(data) >= 25:
        bits = _uint32(data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _uint32(data: bytes, at: int) -> int:
    """Little-endian; 0 where the file is too short to have it."""
    return int.from_bytes(data[at : at + 4], "little") if len(data) >= at + 4 else 0
