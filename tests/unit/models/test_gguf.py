"""The licence that a GGUF file names."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ai_services.models.gguf import HEAD_BYTES, licence_in
from tests.support.attacks import attack
from tests.support.models import models_directory

ARCHITECTURE = ("general.architecture", 8, struct.pack("<Q", 5) + b"llama")


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(*pairs: tuple[str, int, bytes], version: int = 3, keys: int | None = None) -> bytes:
    """A head with these keys, types and values."""
    body = b"".join(text(key.encode()) + struct.pack("<I", kind) + value for key, kind, value in pairs)
    return b"GGUF" + struct.pack("<IQQ", version, 272, len(pairs) if keys is None else keys) + body


def licence(value: bytes) -> tuple[str, int, bytes]:
    return "general.license", 8, text(value)


def named_by(data: bytes, folder: Path) -> str | None:
    (folder / "model.gguf").write_bytes(data)
    return licence_in(folder / "model.gguf")


def array(kind: int, length: int, content: bytes) -> bytes:
    return struct.pack("<IQ", kind, length) + content


def test_it_is_found_after_values_of_every_type(tmp_path: Path) -> None:
    widths = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    numbers = [(f"n{kind}", kind, bytes(width)) for kind, width in widths.items()]
    arrays = [(f"a{kind}", 9, array(kind, 3, bytes(3 * width))) for kind, width in widths.items()]
    texts = ("texts", 9, array(8, 2, text(b"en") + text(b"")))
    data = gguf(ARCHITECTURE, *numbers, *arrays, texts, licence(b"MIT OR Apache-2.0"))
    assert named_by(data + b"tensors", tmp_path) == "MIT OR Apache-2.0"


def test_a_real_model_names_its_own() -> None:
    assert licence_in(models_directory() / "smollm2-135m-instruct" / "model.gguf") == "apache-2.0"


def test_a_file_that_names_none_has_none(tmp_path: Path) -> None:
    assert named_by(gguf(ARCHITECTURE), tmp_path) is None
    assert named_by(gguf(("general.license", 4, bytes(4))), tmp_path) is None, "a number"
    assert named_by(gguf(licence(b"")), tmp_path) is None


@attack(
    threat="A model file that somebody made names as its licence a path of the host, or codes for a terminal",
    control="Only what can be an SPDX expression is taken; only the first MiB of the file is read",
    file="containers/ai-services/src/ai_services/models/gguf.py",
)
@pytest.mark.parametrize(
    "data",
    [
        gguf(licence(b"../../../../etc/passwd")),
        gguf(licence(b"MIT\n\x1b[2J")),
        gguf(licence("ＭＩＴ".encode())),
        gguf(licence(b"x" * 65)),
        gguf(licence(b"\xff")),
        gguf(ARCHITECTURE, keys=2**64 - 1),
        gguf(("general.license", 8, struct.pack("<Q", 2**64 - 1))),
        gguf(("a", 9, array(8, 2**64 - 1, b"")), licence(b"MIT")),
        gguf(("a", 9, array(4, 2**64 - 1, b"")), licence(b"MIT")),
        gguf(("a", 9, array(9, 1, array(9, 1, b""))), licence(b"MIT")),
        gguf(("a", 77, b""), licence(b"MIT")),
        gguf(("a", 8, text(b"x" * HEAD_BYTES)), licence(b"MIT")),
        gguf(licence(b"MIT"), version=1),
        gguf(licence(b"MIT"))[:-1],
        b"PK" + gguf(licence(b"MIT"))[2:],
        b"",
    ],
    ids=lambda data: repr(data[24:70]),
)
def test_what_is_no_licence_of_a_whole_file_is_none(data: bytes, tmp_path: Path) -> None:
    assert named_by(data, tmp_path) is None
