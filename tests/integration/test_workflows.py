"""The examples of configs/workflows, on the real models."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "configs" / "workflows"
# Of what hangs; on a processor that is emulated, work takes minutes.
WAITS = 10


@pytest.fixture(scope="module", autouse=True)
def _stored(api: httpx.Client) -> None:
    for file in EXAMPLES.glob("*.yaml"):
        answer = api.put(
            f"/workflows/{file.stem}", content=file.read_bytes(), headers={"content-type": "application/yaml"}
        )
        assert answer.status_code in (200, 201), answer.text


def run(api: httpx.Client, name: str, **inputs: Any) -> dict[str, Any]:
    """The outputs of a run."""
    accepted = api.post(f"/workflows/{name}/runs", json={"inputs": inputs})
    assert accepted.status_code == 202, accepted.text
    for _ in range(WAITS):
        seen: dict[str, Any] = api.get(accepted.headers["location"], params={"wait_s": 60}).json()
        if seen["ended_at"]:
            break
    assert seen["state"] == "succeeded", seen
    outputs: dict[str, Any] = seen["outputs"]
    return outputs


def rows(api: httpx.Client, dataset: str) -> list[dict[str, Any]]:
    answer = api.get(f"/data/datasets/{dataset}/content", params={"format": "json"})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def picture(name: str) -> str:
    kind = "jpeg" if name.endswith("jpg") else "png"
    content = base64.b64encode((REPOSITORY / "docs" / "images" / name).read_bytes()).decode()
    return f"data:image/{kind};base64,{content}"


def test_reviews_become_a_report(api: httpx.Client) -> None:
    table = "text\nThis is a great product!\nIt broke after a day. Terrible.\nとても良い商品です。\n"
    upload = api.put(
        "/data/datasets/reviews?replace=true", content=table.encode(), headers={"content-type": "text/csv"}
    )
    assert upload.status_code in (200, 201), upload.text
    outputs = run(api, "review-report", reviews="reviews")
    counted = {(row["language"], row["sentiment"]): row["reviews"] for row in outputs["table"]}
    assert counted == {("en", "positive"): 1, ("en", "negative"): 1, ("ja", "positive"): 1}
    assert outputs["summary"].strip()
    assert len(rows(api, "reviews-scored")) == 3


def test_documents_lose_their_personal_data(api: httpx.Client) -> None:
    documents = [
        {"name": "a", "text": "Write to ann@example.com or call +1 212 555 0142."},
        {"name": "b", "text": "Nothing to hide."},
    ]
    outputs = run(api, "redact-documents", documents=documents)
    assert "EMAIL" in outputs["found"]
    kept = {row["name"]: row for row in rows(api, "documents-redacted")}
    assert "ann@example.com" not in kept["a"]["text"]
    assert kept["b"] == {"name": "b", "text": "Nothing to hide.", "found": 0}


def test_a_dataset_is_judged(api: httpx.Client) -> None:
    table = "id,price\n1,5\n2,\n2,-3\n"
    api.put(
        "/data/datasets/orders?replace=true", content=table.encode(), headers={"content-type": "text/csv"}
    )
    rules = [
        {"check": "unique", "columns": ["id"], "name": "one id"},
        {"check": "range", "column": "price", "min": 0},
    ]
    outputs = run(api, "data-quality", dataset="orders", rules=rules)
    assert outputs["rows"] == 3
    assert {broken["rule"] for broken in outputs["broken"]} >= {"one id"}
    assert outputs["words"] != "Nothing is wrong."
    assert {row["column"]: row["nulls"] for row in rows(api, "quality-report")} == {"id": 0, "price": 1}


def test_scanned_invoices_become_a_table(api: httpx.Client) -> None:
    outputs = run(api, "read-invoices", pages=[picture("receipt-ja.png")])
    assert outputs["pages"] == 1
    assert "合計" in outputs["texts"][0]
    description = api.get("/data/datasets/invoices").json()
    assert description["format"] == "parquet"
    assert [column["name"] for column in description["columns"]] == ["page", "issuer", "date", "total"]


def test_pictures_become_a_catalogue(api: httpx.Client) -> None:
    broken = "data:image/png;base64,AAAA"
    outputs = run(api, "picture-catalogue", pictures=[picture("astronaut.jpg"), broken])
    assert outputs == {"kept": 1, "unsafe": [], "unreadable": [1]}
    (row,) = rows(api, "picture-catalogue")
    assert (row["picture"], row["people"]) == (0, 1)
    assert "person" in row["description"]


def test_a_question_is_answered_from_documents(api: httpx.Client) -> None:
    documents = [
        {"name": "rain.txt", "text": "Rain falls when drops in a cloud become too heavy."},
        {"name": "bread.txt", "text": "Bread is baked from flour, water, salt and yeast."},
        {"name": "moon.txt", "text": "The moon moves around the earth in 27 days."},
    ]
    outputs = run(api, "ask-documents", documents=documents, question="What is bread made of?", passages=1)
    assert [passage["name"] for passage in outputs["passages"]] == ["bread.txt"]
    assert outputs["answer"].strip()
