"""Bytes to pixels: what is read, what is refused, and how clearly."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from ai_semble.errors import AiSembleError
from ai_services.vision.errors import (
    ImageFormatUnsupported,
    ImageTooLarge,
    ImageTooSmall,
    ImageTruncated,
    ImageUnreadable,
)
from ai_services.vision.imaging.decoding import MOST_WORKING_PIXELS, PictureDecoder
from ai_services.vision.imaging.picture import Need
from tests.support.pictures import bomb_png, bomb_webp, encode, photo, with_orientation

# Pillow warns of cut files before it gives up; the service leaves these warnings out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

ALL = Need()
QUARTERS = Image.fromarray(
    np.kron(
        np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8),
        np.ones((24, 32, 1), np.uint8),
    )
)
"""64 x 48: red, green / blue, yellow."""


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_gives_the_same_picture(decoder: PictureDecoder, format_: str) -> None:
    picture = decoder.decode(encode(QUARTERS, format_), ALL)
    assert (picture.width, picture.height) == (64, 48)
    assert picture.format.upper() == format_
    assert np.abs(picture.pixels[12, 16].astype(int) - (255, 0, 0)).max() < 40


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(
    decoder: PictureDecoder, orientation: int, format_: str
) -> None:
    picture = decoder.decode(with_orientation(QUARTERS, orientation, format_), ALL)
    assert (picture.width, picture.height) == (64, 48)
    assert picture.pixels[6, 6, 0] > 200  # red at the upper left, and no yellow
    assert picture.pixels[6, 6, 1] < 80
    assert picture.pixels[6, 58, 1] > 200  # green at the upper right
    assert picture.pixels[42, 6, 2] > 200  # blue at the lower left


def test_a_broken_exif_block_is_no_reason_to_refuse_a_picture(decoder: PictureDecoder) -> None:
    data = encode(QUARTERS, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xee" * 9)
    assert decoder.decode(data, ALL).width == 64


def test_transparency_is_white(decoder: PictureDecoder) -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert decoder.decode(encode(clear), ALL).pixels.min() == 255
    palette = encode(clear.convert("RGB").quantize(2), "GIF", transparency=0)
    assert decoder.decode(palette, ALL).pixels.min() == 255


@pytest.mark.parametrize(
    ("mode", "format_"),
    [("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF")],
)
def test_every_colour_mode_becomes_rgb(decoder: PictureDecoder, mode: str, format_: str) -> None:
    picture = decoder.decode(encode(Image.new("RGB", (32, 32), "white").convert(mode), format_), ALL)
    assert picture.pixels.shape == (32, 32, 3)
    assert picture.pixels.min() > 240


def test_sixteen_bits_keep_their_brightness(decoder: PictureDecoder) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
    for format_ in ("PNG", "TIFF"):
        pixels = decoder.decode(encode(Image.fromarray(ramp), format_), ALL).pixels
        assert (pixels[0, 0, 0], pixels[0, -1, 0]) == (0, 255)
        assert abs(int(pixels[0, 32, 0]) - 129) < 3


def test_floating_point_tiff_is_read(decoder: PictureDecoder) -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (16, 1))
    assert decoder.decode(encode(Image.fromarray(ramp), "TIFF"), ALL).pixels[0, -1, 0] == 255


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(decoder: PictureDecoder, format_: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    data = encode(frames[0], format_, save_all=True, append_images=frames[1:])
    assert decoder.decode(data, ALL).pixels[20, 20, 0] > 240


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_cut_file_is_called_truncated(decoder: PictureDecoder, format_: str, kept: float) -> None:
    whole = encode(photo("chelsea"), format_)
    with pytest.raises(ImageTruncated):
        decoder.decode(whole[: int(len(whole) * kept)], ALL)


def test_noise_behind_a_good_header_is_called_unreadable(decoder: PictureDecoder) -> None:
    good = encode(photo("chelsea"), "PNG")
    damaged = good[:60] + bytes(len(good) - 120) + good[-60:]
    with pytest.raises(ImageUnreadable):
        decoder.decode(damaged, ALL)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, this is no picture", "text file"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"  <!DOCTYPE html><html></html>", "web page"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF picture"),
        (b"PK\3\4....", "zip archive"),
        (bytes(range(200, 256)) * 4, "unknown kind"),
        ("日本語".encode() * 300, "text file"),
        (b"", "empty"),
    ],
)
def test_what_is_no_picture_is_named(decoder: PictureDecoder, data: bytes, words: str) -> None:
    with pytest.raises(ImageFormatUnsupported, match=words):
        decoder.decode(data, ALL)


@pytest.mark.parametrize(
    "data",
    [
        bomb_png(10_000, 10_000),
        bomb_png(100_000, 100_000),
        bomb_webp(16_000, 16_000),
        encode(Image.new("1", (12_000, 9_000)), "PNG"),
        encode(Image.new("1", (12_000, 9_000)), "TIFF", compression="group4"),
    ],
    ids=["100-megapixel PNG", "PNG bomb", "WebP bomb", "real PNG", "real TIFF"],
)
def test_too_many_pixels_are_refused_before_decoding(decoder: PictureDecoder, data: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="megapixels; 50 are accepted"):
        decoder.decode(data, ALL)


def test_one_pixel_is_refused(decoder: PictureDecoder) -> None:
    with pytest.raises(ImageTooSmall, match="1 x 1"):
        decoder.decode(encode(Image.new("RGB", (1, 1))), ALL)


def test_a_large_picture_is_worked_on_at_less_than_its_size(decoder: PictureDecoder) -> None:
    for format_ in ("JPEG", "PNG"):
        picture = decoder.decode(encode(Image.new("L", (5000, 4000), 200), format_), ALL)
        assert (picture.width, picture.height) == (5000, 4000)
        assert picture.pixels.shape[0] * picture.pixels.shape[1] <= MOST_WORKING_PIXELS
        corner = np.asarray(picture.pixels.shape[1::-1], np.float32)
        assert picture.to_original(corner).tolist() == [5000, 4000]


def test_a_photograph_is_decoded_to_what_the_task_needs(decoder: PictureDecoder) -> None:
    data = encode(photo("chelsea").resize((2048, 1536)), "JPEG")
    assert decoder.decode(data, Need(short_side=256)).pixels.shape == (384, 512, 3)
    assert decoder.decode(data, Need(long_side=1024)).pixels.shape == (768, 1024, 3)


def test_many_threads_decode_at_once(decoder: PictureDecoder) -> None:
    files = [encode(photo("chelsea"), format_) for format_ in ("PNG", "JPEG", "WEBP")] * 4
    failures: list[Exception] = []

    def work(data: bytes) -> None:
        try:
            assert decoder.decode(data, ALL).width == 451
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(data,)) for data in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_random_damage_never_ends_in_anything_but_a_clear_answer(decoder: PictureDecoder) -> None:
    chance = np.random.default_rng(7)
    originals = [
        encode(photo("chelsea").resize((90, 60)), format_)
        for format_ in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
    ]
    answers: set[type] = set()
    for data in originals:
        for _ in range(60):
            answers.add(_outcome(decoder, _damaged(data, chance)))
    assert ImageUnreadable in answers


def _damaged(data: bytes, chance: np.random.Generator) -> bytes:
    broken = bytearray(data)
    for place in chance.integers(4, len(data), size=6):
        broken[place] = int(chance.integers(256))
    return bytes(broken)


def _outcome(decoder: PictureDecoder, data: bytes) -> type:
    try:
        return type(decoder.decode(data, ALL))
    except AiSembleError as error:
        assert error.detail
        assert error.user_hint
        return type(error)
