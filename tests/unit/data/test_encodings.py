"""Encodings of uploads: those of text are read, also piece by piece; Python's others are refused."""

from __future__ import annotations

import httpx
import pytest

from ai_semble.errors import InvalidRequest
from data_processor.routes.encodings import decoder


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "値"),
        ("UTF-8-SIG", "値"),
        ("utf-16", "値"),
        ("utf-16le", "値"),
        ("utf_32", "値"),
        ("latin1", "é"),
        ("ISO-8859-15", "€"),
        ("windows-1251", "ж"),
        ("cp1252", "€"),
        ("sjis", "値"),
        ("ms932", "①"),
        ("euc_jp", "値"),
        ("iso-2022-jp", "値"),
        ("gb18030", "值"),
        ("gbk", "值"),
        ("big5", "值"),
        ("euc-kr", "값"),
        ("koi8-u", "ї"),
        ("macroman", "é"),
        ("us-ascii", "a"),
    ],
)
def test_text_is_decoded_whatever_pieces_it_comes_in(encoding: str, text: str) -> None:
    decode = decoder(encoding)
    pieces = [decode(bytes([byte]), False) for byte in text.encode(encoding)]
    assert "".join([*pieces, decode(b"", True)]) == text


@pytest.mark.parametrize(
    "encoding",
    [
        "punycode",
        "idna",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
        "rot13",
        "zlib",
        "utf-7",
        "a\0b",
        "x" * 99,
    ],
)
def test_what_is_no_encoding_of_text_is_refused(encoding: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decoder(encoding)
    assert "shift_jis" in refused.value.user_hint


def test_an_upload_and_a_form_are_refused_alike(client: httpx.Client) -> None:
    put = client.put("/data/datasets/encoded", content=b"a\n1\n", params={"encoding": "punycode"})
    file = {"file": ("a.csv", b"a\n1\n")}
    form = client.post("/data/process", data={"operation": "analyze", "encoding": "punycode"}, files=file)
    for answer in (put, form):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert "windows-125" in answer.json()["hint"]
