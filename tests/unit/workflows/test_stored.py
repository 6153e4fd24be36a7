"""Workflows as they are stored: versions, mistakes, pictures."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import httpx
import jsonschema
import pytest
import yaml

from ai_semble.room import Room
from tests.support.attacks import attack
from tests.unit.workflows.conftest import YAML, Platform

ONE = "description: First.\nsteps:\n  a:\n    nlp: {task: language, text: hi}\n"
TWO = (
    ONE.replace("First", "Second")
    + "  b:\n    when: ${{ steps.a.result.x }}\n    nlp: {task: language, text: hi}\n"
)


def test_each_change_is_a_version(here: Platform) -> None:
    answers = [here.api.put("/workflows/versions", content=text, headers=YAML) for text in (ONE, ONE, TWO)]
    assert [(answer.status_code, answer.json()["version"]) for answer in answers] == [
        (201, 1),
        (200, 1),
        (200, 2),
    ]
    newest = here.api.get("/workflows/versions").json()
    assert (newest["version"], newest["description"], newest["steps"]) == (2, "Second.", 2)
    assert newest["source"] == TWO
    assert [version["version"] for version in newest["versions"]] == [2, 1]
    assert here.api.get("/workflows/versions?version=1").json()["source"] == ONE
    assert here.api.get("/workflows/versions?version=3").json()["code"] == "workflow_not_found"
    assert "versions" in [workflow["name"] for workflow in here.api.get("/workflows").json()["workflows"]]
    old = here.api.post("/workflows/versions/runs", json={"version": 1}).json()
    assert here.ended(old["id"])["steps"].keys() == {"a"}
    assert here.api.delete("/workflows/versions").status_code == 204
    assert here.api.delete("/workflows/versions").status_code == 404
    assert here.get(old["id"])["workflow"] == "versions", "its runs stay"


def test_a_file_with_mistakes_is_refused_with_all_of_them(here: Platform) -> None:
    text = ONE + "  b:\n    when: ${{ inputs.x }}\n    nlp: {task: languag, text: hi}\n"
    answer = here.api.put("/workflows/wrong", content=text, headers=YAML)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_workflow")
    faults = answer.json()["faults"]
    assert [(fault["line"], fault["code"]) for fault in faults] == [
        (6, "unknown_input"),
        (7, "wrong_request"),
    ]
    assert here.api.get("/workflows/wrong").status_code == 404


def test_json_and_toml_are_read_too_and_nothing_else(here: Platform) -> None:
    document = yaml.safe_load(ONE)
    assert here.api.put("/workflows/as-json", json=document).json()["definition"] == document
    toml = '[steps.a.nlp]\ntask = "language"\ntext = "hi"\n'
    stored = here.api.put(
        "/workflows/as-toml", content=toml, headers={"content-type": "application/toml"}
    ).json()
    assert stored["definition"]["steps"] == document["steps"]
    form = here.api.put("/workflows/as-form", data={"a": "b"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    long = here.api.put("/workflows/too-long", content=b"#" * 300_000, headers=YAML)
    assert (long.status_code, long.json()["code"]) == (413, "body_too_large")


def test_the_published_schema_takes_what_is_stored(here: Platform) -> None:
    schema = here.api.get("/schemas/workflow.json").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(yaml.safe_load(TWO))
    assert not validator.is_valid({"steps": {"a": {"nlpp": {}}}})


def test_a_workflow_and_a_run_are_drawn(here: Platform) -> None:
    here.put(TWO)
    picture = here.api.get("/workflows/test/graph")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "script" not in picture.headers["content-security-policy"]
    drawn = read(picture)
    assert len(drawn.findall(".//{*}rect")) == 2
    assert len(drawn.findall("{*}path")) == 1
    run = here.ended(here.run())
    texts = read(here.api.get(f"/runs/{run['id']}/graph")).findall(".//{*}text")
    assert [text.text for text in texts] == ["a", "nlp - succeeded", "b", "nlp - skipped"]


def read(picture: httpx.Response) -> ET.Element:
    return ET.fromstring(picture.content)  # noqa: S314 - our own answer


@attack(
    threat="Workflows, their versions and their runs fill the disk of the machine",
    control="`resources.keep_free_disk`: none is stored, and no run accepted, that would leave less",
    file="containers/base/src/ai_semble/room.py",
)
def test_workflows_and_runs_leave_some_of_the_disk_free(
    here: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.put(ONE)
    with monkeypatch.context() as full:
        full.setattr(Room, "left", lambda _: 50)
        for answer in (
            here.api.put("/workflows/test", content=TWO, headers=YAML),
            here.api.post("/workflows/test/runs"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
    assert here.api.get("/workflows/test").json()["source"] == ONE
    assert here.ended(here.run())["state"] == "succeeded"
