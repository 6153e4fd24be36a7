"""`ai-semble workflow`: mistakes are found without a server, inputs are read as they are typed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ai_semble_client.cli.given import inputs
from ai_semble_client.errors import UnusableFile
from tests.support.client_commands import Typist

EXAMPLES = sorted((Path(__file__).parents[3] / "configs" / "workflows").glob("*.yaml"))
WRONG = """\
steps:
  first:
    nlp: {task: language, text: "${{ steps.frist.result }}"}
  second:
    wen: true
    nlp: {task: language, text: hi}
"""


@pytest.fixture
def typist(tmp_path: Path) -> Typist:
    """Where no server is."""
    return Typist("http://127.0.0.1:9", tmp_path)


def test_the_examples_have_no_mistakes(typist: Typist) -> None:
    ended = typist.types("workflow", "check", str(EXAMPLES[0]))
    assert (ended.returncode, ended.stdout) == (0, f"{EXAMPLES[0]}: no mistakes\n")


def test_mistakes_are_told_as_compilers_do(typist: Typist, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    ended = typist.types("workflow", "check", str(file))
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"{file}:5:5: steps.second.wen: there is no field `wen` here",
        "  hint: Did you mean `when`?",
    ]
    file.write_text(WRONG.replace("    wen: true\n", ""))
    told = json.loads(typist.types("workflow", "check", str(file), "--json").stdout)
    assert [(fault["line"], fault["code"]) for fault in told["faults"]] == [(3, "unknown_step")]
    absent = typist.types("workflow", "check", str(tmp_path / "absent.yaml"))
    assert absent.returncode == 1
    assert "hint:" in absent.stderr


def test_inputs_are_read_as_they_are_typed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    (tmp_path / "b.md").write_text("two", encoding="utf-8")
    (tmp_path / "c.png").write_bytes(b"\x89PNG")
    members = tmp_path / "inputs.json"
    members.write_text('{"n": 1, "m": 2}', encoding="utf-8")
    folder = tmp_path / "a.txt"
    read = inputs(
        ["n=3", "flag=true", "word=yes", f"text=@{folder}", 'list=["x"]', "equal=a=b"],
        [f"documents={folder}"],
        [f"pages={tmp_path}"],
        members,
    )
    assert read == {
        "n": 3,
        "m": 2,
        "flag": True,
        "word": "yes",
        "text": "one",
        "list": ["x"],
        "equal": "a=b",
        "documents": [{"name": "a.txt", "text": "one"}],
        "pages": ["data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()],
    }


@pytest.mark.parametrize(
    ("named", "texts", "file"),
    [(["n"], [], None), ([], ["d=/nowhere"], None), (["t=@/nowhere"], [], None), ([], [], "/nowhere")],
)
def test_an_input_that_cannot_be_read_is_told(named: list[str], texts: list[str], file: str | None) -> None:
    with pytest.raises(UnusableFile) as caught:
        inputs(named, texts, [], Path(file) if file else None)
    assert caught.value.hint
