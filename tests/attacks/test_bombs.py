"""Files and bodies that grow when they are read"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from tests.attacks.verdicts import verdict
from tests.integration.bad_inputs.vision import huge_png
from tests.support.attacks import attack
from tests.support.worlds import World

DECODER = "containers/ai-services/src/ai_services/vision/imaging/decoding.py"
SANDBOX = "containers/data-processor/src/data_processor/workers/sandbox.py"
SCHEMAS = "containers/ai-services/src/ai_services/llm/engines/llama/schemas.py"
VISION = "/ai/vision/analyze"
PIXELS = "`vision.max_megapixels`, by the header, before a pixel is decoded"
WORKER = "Read by a process of its own, with limits of memory and time"


def look_at(api: httpx.Client, data: bytes) -> tuple[int, str]:
    return verdict(api.post(VISION, files={"image": ("x", data)}, data={"task": "classify"}))


def upload(api: httpx.Client, data: bytes, format_: str) -> tuple[int, str]:
    return verdict(
        api.put("/data/datasets/bomb", params={"format": format_, "replace": "true"}, content=data)
    )


def gzipped(unit: bytes, length: int) -> bytes:
    """So many bytes of a repeated unit, in about a thousandth of their length."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = unit * ((1 << 20) // len(unit))
    return b"".join([*(packer.compress(block) for _ in range(length >> 20)), packer.flush()])


@attack(threat="A picture of a few bytes that says it has ten billion pixels", control=PIXELS, file=DECODER)
def test_a_png_that_says_it_is_huge_is_not_decoded(api: httpx.Client) -> None:
    assert look_at(api, huge_png(100_000, 100_000)) == (413, "image_too_large")


@attack(threat="The same as BMP and WebP", control=PIXELS, file=DECODER)
@pytest.mark.parametrize(
    "data",
    [
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
        b"RIFF\x1e\0\0\0WEBPVP8X\n\0\0\0\0\0\0\0" + b"\xff\xff\x3f" + b"\xff\xff\x3f" + b"\0" * 8,
    ],
    ids=["bmp", "webp"],
)
def test_other_pictures_that_say_they_are_huge_are_not_decoded(api: httpx.Client, data: bytes) -> None:
    assert look_at(api, data) == (413, "image_too_large")


@attack(
    threat="A text chunk of a PNG that unpacks to gigabytes", control="Pillow's limit for texts", file=DECODER
)
def test_a_text_bomb_in_a_png_takes_no_memory(api: httpx.Client) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    packer = zlib.compressobj(9)
    text = b"".join([*(packer.compress(b"a" * (1 << 20)) for _ in range(128)), packer.flush()])
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"zTXt", b"x\0\0" + text) + chunk(b"IEND", b"")
    status, code = look_at(api, bomb)
    assert status == 422
    assert code in ("image_unreadable", "image_truncated")


@attack(threat="A workbook (a zip file) that unpacks to a gigabyte", control=WORKER, file=SANDBOX)
def test_a_zip_bomb_as_a_workbook_harms_only_its_reader(api: httpx.Client) -> None:
    status, code = upload(api, workbook(b"a" * (1 << 20), 600), "xlsx")
    assert (status, code) in [
        (422, "memory_limit_exceeded"),
        (422, "unreadable_data"),
        (500, "operation_crashed"),
        (504, "deadline_exceeded"),
    ]


@attack(
    threat="A workbook of 6 KB with a cell at its far end, between which 17 billion empty ones are",
    control="How far the cells reach is looked up before room is made for them",
    file="containers/data-processor/src/data_processor/engine/extents.py",
)
def test_a_far_cell_is_told_and_takes_no_memory(api: httpx.Client) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write(1_048_575, 16_383, 1)
    assert upload(api, file.getvalue(), "xlsx") == (422, "memory_limit_exceeded")


@attack(
    threat="A workbook with an external entity (XXE)",
    control="The reader knows no entities of documents",
    file="containers/data-processor/src/data_processor/engine/preparing.py",
)
def test_a_workbook_reads_no_file_by_an_entity(api: httpx.Client) -> None:
    doctype = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    answer = api.put("/data/datasets/bomb", params={"format": "xlsx"}, content=workbook(b"&e;", 1, doctype))
    assert answer.status_code == 422
    assert "root:" not in answer.text


@attack(threat="A compressed table that unpacks to gigabytes", control=WORKER, file=SANDBOX)
@pytest.mark.parametrize(("unit", "format_"), [(b" ", "json"), (b"[", "jsonl")])
def test_a_gzip_bomb_as_a_table_is_no_dataset(api: httpx.Client, unit: bytes, format_: str) -> None:
    status, code = upload(api, gzipped(unit, 64 << 20), format_)
    assert status == 422
    assert code in ("unreadable_data", "memory_limit_exceeded", "empty_data")


@attack(threat="The same, compressed with zstd into a few KB", control=WORKER, file=SANDBOX)
@pytest.mark.parametrize(("unit", "format_"), [(b" ", "json"), (b"[", "jsonl")])
def test_a_zstd_bomb_as_a_table_is_no_dataset(api: httpx.Client, unit: bytes, format_: str) -> None:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as packer:
        for _ in range(256):
            packer.write(unit * (1 << 20))
    bomb = packed.getvalue().to_pybytes()
    assert len(bomb) < 64 << 10
    status, code = upload(api, bomb, format_)
    assert status == 422
    assert code in ("unreadable_data", "memory_limit_exceeded", "empty_data")


@attack(threat="A Parquet file of a few KB with 50 GB of text", control=WORKER, file=SANDBOX)
def test_a_parquet_bomb_meets_the_limit_of_memory(api: httpx.Client) -> None:
    word = pa.array(["x" * 10_000])
    table = pa.table({"a": pa.DictionaryArray.from_arrays(pa.array([0] * 5_000_000, pa.int32()), word)})
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    assert upload(api, file.getvalue(), "parquet")[0] == 201
    body = {"operation": "sql", "query": "SELECT length(string_agg(a, '')) FROM bomb"}
    assert api.post("/data/process", json=body).json()["code"] == "memory_limit_exceeded"
    body = {"operation": "sql", "query": "SELECT a FROM bomb"}
    answer = api.post("/data/process", json=body)
    assert len(answer.content) < 64 << 20
    assert api.delete("/data/datasets/bomb").status_code == 204


@attack(threat="An Arrow file whose lengths are lies", control=WORKER, file=SANDBOX)
def test_an_arrow_file_that_lies_about_lengths_is_no_dataset(api: httpx.Client) -> None:
    file = io.BytesIO()
    table = pa.table({"a": pa.array(["x" * 7] * 10)})
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    lie = file.getvalue().replace(struct.pack("<q", 70), struct.pack("<q", 1 << 60))
    assert lie != file.getvalue()
    assert upload(api, lie, "arrow")[0] in (422, 500)


@attack(
    threat="JSON that is nested a hundred thousand times",
    control="Parsers with a limit of depth",
    file="containers/base/src/ai_semble/problems.py",
)
@pytest.mark.parametrize(
    "path", ["/ai/llm/completion", "/ai/vision/analyze", "/ai/nlp/process", "/data/process"]
)
@pytest.mark.parametrize("unit", [b"[", b'{"a":'])
def test_deep_json_is_refused(api: httpx.Client, path: str, unit: bytes) -> None:
    answer = api.post(path, content=unit * 100_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")


@attack(
    threat="32 MiB of lists, whose parsing would hold up everybody else for ten seconds",
    control="The values of a body are counted as it passes by, and bounded",
    file="containers/orchestrator/src/orchestrator/gateway/structure.py",
)
@pytest.mark.parametrize("path", ["/ai/nlp/process", "/ai/llm/completion", "/v1/chat/completions", VISION])
def test_a_body_of_millions_of_lists_is_refused(api: httpx.Client, path: str) -> None:
    nested = (b"[" * 100 + b"]" * 100 + b",") * ((30 << 20) // 201)
    body = b'{"image_url": "https://example.com/x.png", "a": [' + nested + b"0]}"
    answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "body_too_large" in answer.text


@attack(threat="JSON that is deep and well-formed, as records", control=WORKER, file=SANDBOX)
def test_deep_records_are_refused(api: httpx.Client) -> None:
    deep = b'{"operation": "analyze", "data": {"records": [{"a": %b1%b}]}}' % (b"[" * 900, b"]" * 900)
    answer = api.post("/data/process", content=deep, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text[:300]


@attack(threat="Numbers that have no end", control="Numbers are read by parsers with limits", file=SANDBOX)
@pytest.mark.parametrize("number", [b"1e999999999", b"9" * 100_000, b"-0." + b"1" * 100_000])
def test_endless_numbers_are_refused_or_rounded(api: httpx.Client, number: bytes) -> None:
    body = b'{"operation": "analyze", "data": {"records": [{"a": %b}]}}' % number
    answer = api.post("/data/process", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 422), answer.text[:300]


@attack(
    threat="A compressed request body",
    control="Bodies are never unpacked",
    file="containers/ai-services/src/ai_services/nlp/body.py",
)
def test_a_compressed_body_is_not_unpacked(api: httpx.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = api.post("/ai/nlp/process", content=gzipped(b" ", 64 << 20), headers=headers)
    assert answer.status_code in (400, 415), answer.text[:300]


@attack(
    threat="A JSON Schema of 100 bytes from which the model's engine makes a grammar of gigabytes",
    control="All lengths of a schema together are bounded",
    file=SCHEMAS,
)
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}, "maxItems": 10_000_000},
        {"type": "array", "items": {"type": "string"}, "minItems": -10_000_000, "maxItems": 10_000_000},
        {"type": "string", "maxLength": 1_000_000_000},
        {"type": "string", "pattern": "^a{1,1000000000}$"},
        {
            "type": "object",
            "properties": {f"p{n}": {"type": "string", "maxLength": 10_000} for n in range(500)},
        },
    ],
)
def test_a_schema_that_repeats_without_end_is_refused(
    api: httpx.Client, world: World, schema: dict[str, Any]
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 2, "response_format": form}
    answer = api.post("/v1/chat/completions", json=body, timeout=30 * world.slowness)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_schema")


@attack(
    threat="A prompt longer than the model can hold",
    control="Counted, and refused",
    file="containers/ai-services/src/ai_services/llm/errors.py",
)
def test_an_endless_prompt_is_refused(api: httpx.Client) -> None:
    answer = api.post("/ai/llm/completion", json={"prompt": "word " * 200_000, "max_tokens": 4})
    assert answer.status_code in (400, 413, 422), answer.text[:300]


def workbook(cell: bytes, times: int, doctype: bytes = b"") -> bytes:
    """A workbook of one cell whose text is repeated."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(
            "_rels/.rels",
            (
                f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
                f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
            ),
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            (
                f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
                f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
            ),
        )
        archive.writestr(
            "xl/workbook.xml",
            (
                f'<workbook xmlns="{sheet}" xmlns:r="{office}"><sheets>'
                '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
            ),
        )
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet_file:
            sheet_file.write(b'<?xml version="1.0"?>' + doctype)
            sheet_file.write(
                f'<worksheet xmlns="{sheet}"><sheetData><row><c t="inlineStr"><is><t>h</t></is></c></row>'.encode()
            )
            sheet_file.write(b'<row><c t="inlineStr"><is><t>')
            for _ in range(times):
                sheet_file.write(cell)
            sheet_file.write(b"</t></is></c></row></sheetData></worksheet>")
    return file.getvalue()
