"""Pictures with known content, made by code or taken from scikit-image, and files that are hard to decode."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pylopdf_fonts_jp
import skimage.data
from PIL import Image, ImageDraw, ImageFont

ENGLISH_PAGE = (
    "Invoice No. 2026-1123",
    "Ai-semble Corporation",
    "Marunouchi 1-2-3, Chiyoda-ku, Tokyo",
    "Item            Quantity      Price",
    "Fountain pen        2        $45.00",
    "Notebook, ruled    10        $32.50",
    "Total due: $77.50",
    "Please pay before December 31, 2026.",
    "Questions? billing@ai-semble.example",
)
JAPANESE_PAGE = (
    "請求書No. 2026-1123",
    "株式会社アイセンブル御中",
    "東京都千代田区丸の内1-2-3",
    "万年筆と手帳のお買い上げありがとうございます。",
    "合計金額：¥123,456円（税込）",
    "お支払期限は11月30日です。",
    "ご不明な点は下記までお問い合わせください。",
    "電話番号：03-1234-5678",
    "担当：山田太郎",
)


def photo(name: str) -> Image.Image:
    """One of scikit-image's own pictures: astronaut, chelsea (a cat), coffee, rocket, ..."""
    return Image.fromarray(np.asarray(getattr(skimage.data, name)())).convert("RGB")


def font(size: int, *, serif: bool = False) -> ImageFont.FreeTypeFont:
    """Noto Sans JP or Noto Serif JP, which also have Latin letters."""
    path = pylopdf_fonts_jp.serif_path() if serif else pylopdf_fonts_jp.sans_path()
    return ImageFont.truetype(path, size)


def page(
    lines: Sequence[str],
    *,
    size: int = 28,
    serif: bool = False,
    ink: str = "black",
    paper: str = "white",
    margin: int = 40,
    spacing: float = 1.8,
) -> Image.Image:
    """Lines of text under each other, as large as they need."""
    face = font(size, serif=serif)
    width = max(int(face.getlength(line)) for line in lines) + 2 * margin
    pitch = int(size * spacing)
    image = Image.new("RGB", (width, pitch * len(lines) + 2 * margin), paper)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        draw.text((margin, margin + row * pitch), line, fill=ink, font=face)
    return image


def columns(left: Sequence[str], right: Sequence[str], *, size: int = 24) -> Image.Image:
    """Two columns side by side, as in a newspaper."""
    parts = page(left, size=size), page(right, size=size)
    image = Image.new("RGB", (sum(part.width for part in parts), max(part.height for part in parts)), "white")
    image.paste(parts[0], (0, 0))
    image.paste(parts[1], (parts[0].width, 0))
    return image


def vertical_page(lines: Sequence[str], *, size: int = 36, margin: int = 40) -> Image.Image:
    """Japanese written downwards, the first line at the right."""
    face = font(size, serif=True)
    pitch = int(size * 1.8)
    height = max(len(line) for line in lines) * size + 2 * margin
    image = Image.new("RGB", (pitch * len(lines) + 2 * margin, height), "white")
    draw = ImageDraw.Draw(image)
    for column, line in enumerate(lines):
        x = image.width - margin - size - column * pitch
        for row, character in enumerate(line):
            draw.text((x, margin + row * size), character, fill="black", font=face)
    return image


def encode(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    """The picture as a file, in memory."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def with_orientation(image: Image.Image, orientation: int, format_: str = "JPEG") -> bytes:
    """A file that shows `image` when its EXIF orientation (1..8) is honoured, and only then."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(stored, format_, exif=exif.tobytes(), **({"quality": 95} if format_ == "JPEG" else {}))


def bomb_png(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that declares `width` x `height` pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000, 9)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", pixels), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bomb_webp(width: int, height: int) -> bytes:
    """A WebP header that declares `width` x `height` pixels, with nothing behind it."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
