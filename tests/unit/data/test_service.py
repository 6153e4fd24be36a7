"""The service over HTTP: operations, datasets, uploads, downloads, errors."""

from __future__ import annotations

import gzip
import io
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_semble.errors import InsufficientStorage
from ai_semble.schemas.data_answers import DatasetDescription, ProcessAnswer
from data_processor.app import create_app
from data_processor.datasets import disk
from data_processor.routes import bodies
from tests.support.serving import serving
from tests.unit.data.bench import make_runtime, within

ROWS = [{"id": 1, "v": 10}, {"id": 2, "v": None}, {"id": 3, "v": 30}]


def process(client: httpx.Client, **request: Any) -> httpx.Response:
    return client.post("/data/process", json=request)


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = response.json()
    assert (response.status_code, found["code"]) == (status, code), found
    assert response.headers["content-type"] == "application/problem+json"
    assert found["hint"] and found["request_id"]
    return found


def put(
    client: httpx.Client, name: str, content: bytes = b"id,v\n1,10\n2,20\n", **options: Any
) -> httpx.Response:
    return client.put(f"/data/datasets/{name}", content=content, **options)


def test_the_call_of_the_documentation_works(client: httpx.Client) -> None:
    response = process(client, operation="analyze", data={"records": [{"id": 1, "value": 100}]})
    assert response.status_code == 200
    answer = ProcessAnswer.model_validate(response.json())
    assert answer.rows.total == 1
    assert answer.timings.total_ms > 0


def test_an_answer_has_the_rows_asked_for_and_the_count_of_all(client: httpx.Client) -> None:
    data = {"records": [{"id": at} for at in range(50)]}
    for operation in (
        {"operation": "filter", "where": "id >= 10"},
        {"operation": "deduplicate", "columns": ["id"]},
    ):
        answer = process(client, **operation, data=data, limit=5).json()
        assert len(answer["result"]["records"]) == 5
        total = 40 if operation["operation"] == "filter" else 50
        assert answer["rows"] == {"total": total, "returned": 5, "truncated": True}
    answer = process(client, operation="filter", where="id < 3", data=data, limit=5).json()
    assert answer["rows"] == {"total": 3, "returned": 3, "truncated": False}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"operation": "dance"}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ({"operation": "filter", "where": "id = 1"}, 422, "data_required"),
        ({"operation": "filter", "where": "id = 1", "data": {"dataset": "nowhere"}}, 404, "unknown_dataset"),
        ({"operation": "filter", "where": "id = 1", "data": {"dataset": "../etc"}}, 422, "invalid_request"),
        ({"operation": "filter", "where": "id = 1", "data": {"records": []}}, 422, "invalid_request"),
        ({"operation": "filter", "where": "id = 1", "data": {"records": [1]}}, 422, "invalid_request"),
        ({"operation": "filter", "where": "id = 1", "data": {"records": [{"": 1}]}}, 422, "unreadable_data"),
        ({"operation": "filter", "where": "id = 1", "data": {"records": [{}]}}, 422, "empty_data"),
        ({"operation": "filter", "where": "xx = 1", "data": {"records": ROWS}}, 422, "unknown_column"),
        ({"operation": "filter", "where": "id ===", "data": {"records": ROWS}}, 422, "invalid_expression"),
        ({"operation": "filter", "where": "id = 'x'", "data": {"records": ROWS}}, 422, "type_mismatch"),
        (
            {"operation": "filter", "where": "id = 1", "colour": 1, "data": {"records": ROWS}},
            422,
            "invalid_request",
        ),
        ({"operation": "sql", "query": "SELECT * FROM read_text('/etc/passwd')"}, 422, "sql_not_allowed"),
        ({"operation": "sql", "query": "SELEC 1"}, 422, "invalid_sql"),
        ({"operation": "sql", "query": "SELECT 'x'::integer"}, 422, "computation_failed"),
        ({"operation": "sql", "query": "SELECT error('no')"}, 422, "computation_failed"),
        ({"operation": "sql", "query": "SELECT repeat('x', 900) FROM range(40000)", "limit": 99999}, 200, ""),
        ({"operation": "pipeline", "steps": []}, 422, "invalid_request"),
        (
            {"operation": "pipeline", "steps": [{"operation": "pipeline", "steps": []}]},
            422,
            "invalid_request",
        ),
    ],
)
def test_each_wrong_request_gets_its_own_answer(
    client: httpx.Client, request_: dict[str, Any], status: int, code: str
) -> None:
    response = process(client, **request_)
    if status == 200:
        assert response.status_code == 200
        assert response.json()["rows"] == {"total": 40000, "returned": 10_000, "truncated": True}
    else:
        problem(response, status, code)


def test_a_refused_field_is_named_as_the_caller_wrote_it(client: httpx.Client) -> None:
    where = {"and": [{"column": "id", "op": "eq", "value": 1}, {"column": "id", "op": "nearly"}]}
    steps = [{"operation": "filter", "where": where}]
    found = problem(
        process(client, operation="pipeline", steps=steps, data={"records": ROWS}), 422, "invalid_request"
    )
    assert "steps.0.where.and.1.op" in [item["field"] for item in found["errors"]]


def test_a_step_that_fails_is_named(client: httpx.Client) -> None:
    steps = [{"operation": "filter", "where": "id > 1"}, {"operation": "sort", "by": ["w"]}]
    found = problem(
        process(client, operation="pipeline", steps=steps, data={"records": ROWS}), 422, "unknown_column"
    )
    assert found["detail"].startswith("Step 2 (sort): There is no column `w`")
    assert found["columns"] == ["id", "v"]


def test_a_step_after_a_profile_is_refused(client: httpx.Client) -> None:
    steps = [{"operation": "analyze"}, {"operation": "sort", "by": ["id"]}]
    problem(
        process(client, operation="pipeline", steps=steps, data={"records": ROWS}), 422, "invalid_request"
    )


def test_bodies_that_are_no_json_are_refused(client: httpx.Client) -> None:
    json_type = {"content-type": "application/json"}
    problem(client.post("/data/process", content=b"{", headers=json_type), 400, "malformed_body")
    problem(client.post("/data/process", content=b'{"a": NaN}', headers=json_type), 400, "malformed_body")
    problem(client.post("/data/process", content=b"\xff", headers=json_type), 400, "malformed_body")
    problem(client.post("/data/process", content=b"[" * 3000, headers=json_type), 400, "malformed_body")
    problem(client.post("/data/process", content=b"[]", headers=json_type), 422, "invalid_request")
    problem(client.post("/data/process", content=b"a=1"), 415, "unsupported_media_type")
    problem(
        client.post("/data/process", content=b" " * (33 * 2**20), headers=json_type), 413, "body_too_large"
    )


def test_a_file_comes_as_a_form_with_fields_or_with_a_request(client: httpx.Client) -> None:
    file = ("a.tsv", b"x\ty\n3\t1\n2\t2\n", "text/plain")
    by_fields = client.post("/data/process", data={"operation": "sort", "by": '["x"]'}, files={"file": file})
    assert by_fields.json()["result"]["records"] == [{"x": 2, "y": 2}, {"x": 3, "y": 1}]
    request = (None, json.dumps({"operation": "filter", "where": "x = 3"}), "application/json")
    by_request = client.post("/data/process", files={"request": request, "file": file})
    assert by_request.json()["result"]["records"] == [{"x": 3, "y": 1}]


def test_the_format_and_encoding_of_a_file_can_be_said(client: httpx.Client) -> None:
    fields = {"operation": "filter", "where": "値 > 1", "format": "csv", "encoding": "shift_jis"}
    file = ("data.bin", "名前,値\nテスト,1\n試験,2\n".encode("shift_jis"))
    response = client.post("/data/process", data=fields, files={"file": file})
    assert response.json()["result"]["records"] == [{"名前": "試験", "値": 2}]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed_body"),
        (b"--x\r\n", "malformed_body"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,2\n',
            "malformed_body",
        ),
        (b"hello", "malformed_body"),
    ],
)
def test_a_broken_form_is_refused(client: httpx.Client, content: bytes, code: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    problem(client.post("/data/process", content=content, headers=headers), 400, code)
    problem(
        client.post("/data/process", content=content, headers={"content-type": "multipart/form-data"}),
        400,
        code,
    )


def test_two_files_or_a_file_beside_data_are_refused(client: httpx.Client) -> None:
    file = ("a.csv", b"x\n1\n")
    twice = client.post(
        "/data/process", data={"operation": "analyze"}, files=[("file", file), ("file", file)]
    )
    problem(twice, 400, "malformed_body")
    both = client.post(
        "/data/process", data={"operation": "analyze", "data": '{"dataset": "x"}'}, files={"file": file}
    )
    problem(both, 422, "invalid_request")


def test_the_life_of_a_dataset(client: httpx.Client) -> None:
    made = put(client, "life", b"id,v\n1,10\n2,\n", headers={"content-type": "text/csv"})
    assert (made.status_code, made.headers["location"]) == (201, "/data/datasets/life")
    described = DatasetDescription.model_validate(made.json())
    assert (described.rows, described.format, described.compression, described.bytes) == (
        2,
        "csv",
        "none",
        13,
    )
    assert [(column.name, column.type, column.nulls) for column in described.columns] == [
        ("id", "BIGINT", 0),
        ("v", "BIGINT", 1),
    ]
    assert client.get("/data/datasets/life").json() == made.json()
    assert "life" in [item["name"] for item in client.get("/data/datasets").json()["datasets"]]
    content = client.get("/data/datasets/life/content")
    assert (content.content, content.headers["content-type"]) == (
        b"id,v\n1,10\n2,\n",
        "text/csv; charset=utf-8",
    )
    assert content.headers["content-disposition"] == 'attachment; filename="life.csv"'
    problem(put(client, "life", b"id\n7\n"), 409, "dataset_exists")
    replaced = put(client, "life", b'{"id": 7}\n', params={"replace": True})
    assert (replaced.status_code, replaced.json()["format"]) == (200, "jsonl")
    assert client.get("/data/datasets/life/content").content == b'{"id": 7}\n'
    assert client.delete("/data/datasets/life").status_code == 204
    problem(client.get("/data/datasets/life"), 404, "unknown_dataset")
    problem(client.get("/data/datasets/life/content"), 404, "unknown_dataset")
    problem(client.delete("/data/datasets/life"), 404, "unknown_dataset")


@pytest.mark.parametrize(
    "name", ["UPPER", "a b", "a.b", "-x", "_x", "x" * 65, "input", "é́", "%2e%2e", "a%00b", "ｆｕｌｌ"]
)
def test_names_that_are_none_are_refused(client: httpx.Client, name: str) -> None:
    response = put(client, name)
    assert response.status_code in (404, 422)
    assert response.json()["code"] in ("invalid_dataset_name", "not_found")


@pytest.mark.parametrize("path", ["..%2f..%2fetc%2fpasswd", "..", "%2e%2e%2fx", "a%2fb", "....//x"])
def test_no_path_leads_out_of_the_folder(client: httpx.Client, path: str) -> None:
    for response in (
        client.get(f"/data/datasets/{path}"),
        put(client, path),
        client.delete(f"/data/datasets/{path}"),
    ):
        assert response.status_code in (404, 405, 422)


def test_a_name_in_any_script_is_a_table_of_sql(client: httpx.Client) -> None:
    assert put(client, "売上-2026").status_code == 201
    answer = process(client, operation="sql", query='SELECT sum(v) AS s FROM "売上-2026"').json()
    assert answer["result"]["records"] == [{"s": 30}]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "empty_data"),
        (b"a,b\n1,2\n3,4,5\n", 422, "unreadable_data"),
        ("名前\nテスト\n".encode("shift_jis"), 422, "wrong_encoding"),
        (b"PAR1 not really", 422, "unreadable_data"),
        (b"\0\1\2\3binary", 415, "unknown_format"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing(
    client: httpx.Client, content: bytes, status: int, code: str
) -> None:
    problem(put(client, "broken", content), status, code)
    problem(client.get("/data/datasets/broken"), 404, "unknown_dataset")


def test_the_format_is_told_by_content_type_or_query_or_first_bytes(client: httpx.Client) -> None:
    cases: list[tuple[bytes, dict[str, Any], tuple[str, str]]] = [
        (b"a;b\n1;2\n", {}, ("csv", "none")),
        (b'[{"a": 1}]', {}, ("json", "none")),
        (b'{"a": 1}\n{"a": 2}\n', {"headers": {"content-type": "application/json"}}, ("jsonl", "none")),
        (b"a\tb\n1\t2\n", {"headers": {"content-type": "text/tab-separated-values"}}, ("tsv", "none")),
        (gzip.compress(b"a,b\n1,2\n"), {"params": {"format": "csv"}}, ("csv", "gzip")),
    ]
    for number, (content, options, expected) in enumerate(cases):
        found = put(client, f"told-{number}", content, **options).json()
        assert (found["format"], found["compression"]) == expected
    problem(put(client, "told-x", b"a\n1\n", params={"format": "docx"}), 422, "invalid_request")
    problem(put(client, "told-x", b"a\n1\n", params={"encoding": "rot13"}), 422, "invalid_request")
    problem(put(client, "told-x", b"\xff\xff", params={"encoding": "ascii"}), 422, "wrong_encoding")


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "parquet", "arrow", "xlsx"])
def test_a_dataset_is_downloaded_in_any_format_and_uploaded_again(client: httpx.Client, ending: str) -> None:
    put(client, "source", b"id,v\n1,1.5\n2,\n", params={"replace": True})
    content = client.get("/data/datasets/source/content", params={"format": ending})
    assert content.headers["content-disposition"] == f'attachment; filename="source.{ending}"'
    assert put(client, f"again-{ending}", content.content, params={"format": ending}).status_code == 201
    answer = process(client, operation="sort", by=["id"], data={"dataset": f"again-{ending}"}).json()
    assert answer["result"]["records"] == [{"id": 1, "v": 1.5}, {"id": 2, "v": None}]


def test_a_download_can_be_compressed(client: httpx.Client) -> None:
    put(client, "plain", params={"replace": True})
    found = client.get("/data/datasets/plain/content", params={"format": "csv", "compression": "gzip"})
    assert gzip.decompress(found.content) == b"id,v\n1,10\n2,20\n"
    wrong = client.get("/data/datasets/plain/content", params={"format": "parquet", "compression": "gzip"})
    problem(wrong, 415, "unknown_format")


def test_rows_are_written_as_a_dataset(client: httpx.Client) -> None:
    request = {"operation": "filter", "where": "id > 1", "data": {"records": ROWS}}
    answer = process(
        client, **request, output={"dataset": "kept", "format": "csv", "compression": "zstd"}
    ).json()
    assert answer["rows"] == {"total": 2, "returned": 0, "truncated": False}
    assert answer["result"]["dataset"]["name"] == "kept"
    assert [column["name"] for column in answer["result"]["columns"]] == ["id", "v"]
    assert client.get("/data/datasets/kept").json()["rows"] == 2
    problem(process(client, **request, output={"dataset": "kept"}), 409, "dataset_exists")
    assert process(client, **request, output={"dataset": "kept", "replace": True}).status_code == 200
    assert client.get("/data/datasets/kept").json()["format"] == "parquet"
    analysis = {"operation": "analyze", "data": {"records": ROWS}}
    problem(process(client, **analysis, output={"dataset": "never"}), 422, "invalid_request")


def test_datasets_can_be_joined_and_replaced_by_the_answer(client: httpx.Client) -> None:
    put(client, "left", b"k,a\n1,x\n2,y\n", params={"replace": True})
    put(client, "right", b"k,b\n2,z\n", params={"replace": True})
    join = {"operation": "join", "on": ["k"], "data": {"dataset": "left"}, "right": {"dataset": "right"}}
    assert process(client, **join, output={"dataset": "left", "replace": True}).status_code == 200
    assert process(client, operation="sort", by=["k"], data={"dataset": "left"}).json()["result"][
        "records"
    ] == [{"k": 2, "a": "y", "b": "z"}]


def test_metrics_count_rows_and_operations(client: httpx.Client) -> None:
    process(client, operation="sort", by=["id"], data={"records": ROWS})
    text = client.get("/metrics").text
    assert 'ai_semble_data_rows_read_total{operation="sort",service="data-processor"}' in text
    assert (
        'ai_semble_data_operation_duration_seconds_count{operation="sort",service="data-processor"}' in text
    )
    assert "ai_semble_data_spilled_bytes_total" in text


def test_a_file_put_into_the_folder_by_hand_is_a_dataset(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    with serving(create_app(runtime)) as url, httpx.Client(base_url=url, timeout=60) as client:
        folder = runtime.paths.data_dir
        (folder / "By-Hand.CSV").write_text("id,v\n1,2\n")
        (folder / "notes.txt").write_text("not a table")
        (folder / "link.csv").symlink_to("/etc/passwd")
        assert [item["name"] for item in client.get("/data/datasets").json()["datasets"]] == ["by-hand"]
        assert process(client, operation="sql", query='SELECT v FROM "by-hand"').json()["result"][
            "records"
        ] == [{"v": 2}]
        (folder / "By-Hand.CSV").write_text("id,w\n1,3\n")
        assert client.get("/data/datasets/by-hand").json()["columns"][1]["name"] == "w"
        (folder / ".work" / "job-left-behind").mkdir()
    assert list((folder / ".work").iterdir()) == [folder / ".work" / "job-left-behind"]
    with serving(create_app(make_runtime(tmp_path))):
        assert list((folder / ".work").iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = make_runtime(tmp_path)

    class FullDisk(io.RawIOBase):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies.FileWriter, "__enter__", full_disk(FullDisk()))
    with serving(create_app(runtime)) as url, httpx.Client(base_url=url, timeout=60) as client:
        problem(put(client, "large"), 507, "insufficient_storage")
        assert list((runtime.paths.data_dir / ".work").iterdir()) == []
        assert client.get("/data/datasets").json() == {"datasets": []}


def full_disk(file: io.RawIOBase) -> Any:
    def enter(self: bodies.FileWriter) -> bodies.FileWriter:
        self._file = file  # type: ignore[assignment]
        return self

    return enter


def test_only_a_full_disk_is_called_one() -> None:
    with pytest.raises(InsufficientStorage), disk.on_disk():
        raise OSError(28, "No space left on device")
    with pytest.raises(PermissionError), disk.on_disk():
        raise PermissionError(13, "Permission denied")


def test_an_upload_longer_than_allowed_is_refused(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path, max_upload_bytes=1000)
    with serving(create_app(runtime)) as url, httpx.Client(base_url=url, timeout=60) as client:
        problem(put(client, "large", b"a\n" + b"1\n" * 1000), 413, "body_too_large")
        chunks = iter([b"a\n", b"1\n" * 1000])
        problem(client.put("/data/datasets/large", content=chunks), 413, "body_too_large")
        assert list((runtime.paths.data_dir / ".work").iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    with serving(create_app(runtime)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                b"PUT /data/datasets/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\na,b\n"
            )
            assert within(5, lambda: len(list((runtime.paths.data_dir / ".work").iterdir())) == 1)
        assert within(5, lambda: list((runtime.paths.data_dir / ".work").iterdir()) == [])
        assert httpx.get(f"{url}/data/datasets").json() == {"datasets": []}
        assert 'status="499"' in httpx.get(f"{url}/metrics").text
