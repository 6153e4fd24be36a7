"""The client's commands, against the whole platform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.client_commands import Typist
from tests.support.worlds import World

PICTURES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture
def typist(world: World, tmp_path: Path) -> Typist:
    if world.target != "inprocess":
        pytest.skip("a command is the same whatever runs the services; test_client.py is asked everywhere")
    return Typist(world.url, tmp_path)


def said(typist: Typist, *words: str, given: str = "") -> str:
    ended = typist.types(*words, given=given)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_chat(typist: Typist) -> None:
    assert said(typist, "chat", "Say hello.", "--max-tokens", "8").strip()
    assert json.loads(said(typist, "chat", "--json", "--max-tokens", "4", given="Say hello."))["text"]


def test_see_and_read(typist: Typist, tmp_path: Path) -> None:
    shown = said(typist, "see", str(PICTURES / "astronaut.jpg"))
    assert "person" in shown
    assert "█" in shown
    drawn = tmp_path / "drawn.png"
    said(typist, "see", str(PICTURES / "astronaut.jpg"), "--task", "faces", "--draw", str(drawn))
    assert drawn.read_bytes().startswith(b"\x89PNG")
    text = said(typist, "read", str(PICTURES / "receipt-ja.png"))
    assert text.startswith("領収書\n")
    as_job = said(typist, "read", str(PICTURES / "receipt-ja.png"), "--job", "--json")
    assert json.loads(as_job)["text"]["content"] + "\n" == text


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("sentiment", "This is a great product!"), "positive"),
        (("entities", "山田太郎は東京で働いています。"), "PERSON"),
        (("language", "Guten Morgen"), "de"),
        (("keywords", "Good training data is expensive.", "--top", "1"), "training"),
        (("summarize", "One sentence. And another one.", "--sentences", "1"), "."),
        (("tokenize", "It works."), "VERB"),
        (("embed", "x"), "0."),
        (("similarity", "a cat", "--other", "ねこ"), "█"),
        (("similarity", "a cat", "ねこ"), "1.000"),
        (
            (
                "classify",
                "Where is my invoice?",
                "--label",
                "billing=I was charged twice.",
                "--label",
                "sports",
            ),
            "billing",
        ),
        (("pii", "Write to a@example.com"), "[EMAIL]"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_nlp(words: tuple[str, ...], shown: str, typist: Typist) -> None:
    assert shown in said(typist, "nlp", *words)


def test_data(typist: Typist, tmp_path: Path) -> None:
    table = tmp_path / "Sales-client.csv"
    table.write_text("region,amount\nTokyo,1200\nOsaka,800\nTokyo,2400\n", encoding="utf-8")
    said(typist, "data", "upload", str(table), "--replace")
    assert "sales-client" in said(typist, "data", "list")
    assert "amount" in said(typist, "data", "show", "sales-client")
    query = 'SELECT region, sum(amount) AS total FROM "sales-client" GROUP BY region ORDER BY total'
    assert said(typist, "data", "sql", query).split() == ["region", "total", "Osaka", "800", "Tokyo", "3600"]
    assert json.loads(said(typist, "data", "sql", query, "--json"))["rows"]["total"] == 2
    assert said(typist, "data", "download", "sales-client") == table.read_text()
    said(typist, "data", "delete", "sales-client")
    assert typist.types("data", "show", "sales-client").returncode == 1


def test_jobs(typist: Typist) -> None:
    made = typist.types("nlp", "language", "Guten Morgen", "--job")
    number = made.stderr.split()[1]
    assert number in said(typist, "jobs", "list", "--service", "nlp")
    assert "succeeded" in said(typist, "jobs", "show", number)
    assert json.loads(said(typist, "jobs", "result", number))["result"]["language"] == "de"
    assert said(typist, "jobs", "watch", number)
    assert "job_has_ended" in typist.types("jobs", "cancel", number).stderr
    said(typist, "jobs", "forget", number)
    assert "job_not_found" in typist.types("jobs", "show", number).stderr


def test_models(typist: Typist) -> None:
    shown = said(typist, "models")
    assert "smollm2-135m-instruct" in shown
    assert "cpu" in shown
    assert json.loads(said(typist, "models", "--json"))["services"]


def test_a_workflow_is_stored_run_watched_and_tried_again(typist: Typist, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "configs" / "workflows" / "redact-documents.yaml"
    assert "redact-documents: version" in said(typist, "workflow", "put", str(example))
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "note.txt").write_text("Write to ann@example.com.", encoding="utf-8")
    ended = typist.types("workflow", "run", "redact-documents", "--texts", f"documents={documents}")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"documents": 1, "found": ["EMAIL"]}
    assert "100% Every step is done." in ended.stderr
    failing = tmp_path / "failing.yaml"
    failing.write_text(
        "steps:\n  a:\n    data: {operation: filter, data: {dataset: absent}, where: 'true'}\n"
    )
    said(typist, "workflow", "put", str(failing))
    run = said(typist, "workflow", "run", "failing", "--detach").strip()
    watched = typist.types("workflow", "watch", run)
    assert watched.returncode == 1
    assert "unknown_dataset" in watched.stdout
    assert "failed" in said(typist, "workflow", "runs", "failing")
    assert typist.types("workflow", "retry", run).returncode == 1
    assert json.loads(said(typist, "workflow", "show", run, "--json"))["tries"] == 2
    assert "run_has_ended" in typist.types("workflow", "cancel", run).stderr
    assert "failing" in said(typist, "workflow", "list")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("steps:\n  a:\n    nlp: {task: sentimental, text: hi}\n")
    refused = typist.types("workflow", "put", str(wrong))
    assert refused.stderr.startswith(f"{wrong}:3:11: steps.a.nlp.task: ")
