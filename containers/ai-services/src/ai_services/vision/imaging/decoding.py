"""Bytes to pixels, for anything that a stranger may send, in bounded memory."""

from __future__ import annotations

import struct
import threading
import zlib
from contextlib import nullcontext
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ai_services.vision.errors import (
    ImageFormatUnsupported,
    ImageTooLarge,
    ImageTooSmall,
    ImageTruncated,
    ImageUnreadable,
)
from ai_services.vision.imaging.picture import Floats, Need, Picture
from ai_services.vision.imaging.sniffing import FORMATS, is_cut_off, sniff, webp_size

LEAST_SIDE: Final = 8
MOST_WORKING_PIXELS: Final = 12_500_000
"""Larger pictures are worked on at a half, a third, ...: 12.5 megapixels are an A4 page at 350 dpi."""
_LARGE: Final = 8_000_000
_ORIENTATION: Final = 0x0112
_TILE_WIDTH, _TILE_LENGTH = 322, 323

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow's plugins raise whatever their parsing meets; these are all that they are seen to raise.
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class PictureDecoder:
    """Decodes one picture a thread, but only one large one at a time, since each takes hundreds of MB.

    `max_megapixels` is checked against the header, before any pixel is decoded.
    """

    def __init__(self, max_megapixels: float) -> None:
        self._most_pixels = int(max_megapixels * 1_000_000)
        self._one_large = threading.Lock()
        Image.MAX_IMAGE_PIXELS = None  # our own limit stands in for Pillow's, which only warns at first

    def decode(self, data: bytes, need: Need) -> Picture:
        """The first frame, upright, with as many pixels as `need` can use.

        Raises ImageFormatUnsupported, ImageTooLarge, ImageTooSmall, ImageTruncated, ImageUnreadable.
        """
        format_ = sniff(data)
        if format_ not in FORMATS:
            raise _unsupported(format_, data)
        if format_ == "WEBP":
            self._check_size(*webp_size(data))
        try:
            with Image.open(BytesIO(data), formats=[format_]) as image:
                self._check_size(*image.size)
                self._check_tile(image)
                large = image.width * image.height > _LARGE
                with self._one_large if large else nullcontext():
                    return _load(image, format_, need)
        except _BROKEN as error:
            raise _broken(data, format_, error) from error

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._most_pixels:
            limit = self._most_pixels / 1_000_000
            raise ImageTooLarge(
                f"The picture has {width} x {height} pixels, {width * height / 1e6:.0f} megapixels;"
                f" {limit:g} are accepted"
            )

    def _check_tile(self, image: ImageFile.ImageFile) -> None:
        """A tiny TIFF can declare a tile of gigabytes, which libtiff would set aside."""
        tags = getattr(image, "tag_v2", {})
        self._check_size(int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_LENGTH, 0)))


def _load(image: ImageFile.ImageFile, format_: str, need: Need) -> Picture:
    width, height = image.size
    if min(width, height) < LEAST_SIDE:
        raise ImageTooSmall(f"The picture has {width} x {height} pixels")
    factor = need.shrink_factor(width, height, MOST_WORKING_PIXELS)
    if factor > 1:
        image.draft("RGB", (width // factor, height // factor))  # JPEG alone can decode to fewer pixels
    image.load()
    orientation = _orientation(image)
    working = _shrink(image, factor * image.width // width)
    if working is not image:
        image.close()  # its pixels, which may be hundreds of megabytes
    rgb = _to_rgb(working)
    if orientation in _TURNS:
        rgb = rgb.transpose(_TURNS[orientation])
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Picture(np.asarray(rgb), width, height, "WebP" if format_ == "WEBP" else format_)


def _orientation(image: Image.Image) -> int:
    """The EXIF tag; 1 (upright) where there is none or the EXIF block is broken, as viewers do."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _BROKEN:
        return 1


def _shrink(image: Image.Image, factor: int) -> Image.Image:
    """Average blocks of `factor` x `factor` pixels, before anything makes copies of the full size."""
    if factor <= 1:
        return image
    return _eight_bit(image).reduce(factor)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The same picture in a mode of 8 bits a channel: L, LA, RGB, RGBA, CMYK, ..."""
    if image.mode.startswith("I"):  # 16 bits, also where Pillow holds them in 32
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        return Image.fromarray(_scaled(np.nan_to_num(np.asarray(image))))
    if image.mode in ("1", "P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _scaled(values: Floats) -> NDArray[np.uint8]:
    """Brightness as floating point, either 0..1 or of unknown range, as 0..255."""
    brightest = float(values.max())
    return (values.clip(0) * (255 / max(brightest, 1))).astype(np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    image = _eight_bit(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image.convert("RGBA")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _unsupported(found: str, data: bytes) -> ImageFormatUnsupported:
    if not data:
        return ImageFormatUnsupported("The picture is empty: 0 bytes")
    hint = {
        "SVG drawing": "Render the drawing to PNG, then send that.",
        "PDF document": "Render the pages to PNG, then send each.",
        "HEIC picture": "Save it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible).",
        "web page": "The address leads to a page about the picture; use the address of the picture itself.",
    }.get(found)
    article = "an" if found[0] in "AEHIOSU" and found.split(maxsplit=1)[0].isupper() else "a"
    return ImageFormatUnsupported(f"The bytes are {article} {found}", hint=hint)


def _broken(data: bytes, format_: str, error: Exception) -> ImageTruncated | ImageUnreadable:
    reason = str(error).split("\n")[0][:200] or type(error).__name__
    if "truncated" in reason.lower() or is_cut_off(data, format_):
        return ImageTruncated(f"The {format_} file ends after {len(data)} bytes, before the picture does")
    if "BytesIO" in reason:  # Pillow's "cannot identify image file <_io.BytesIO ...>"
        reason = "its header is damaged"
    return ImageUnreadable(f"The {format_} file is damaged: {reason}")
