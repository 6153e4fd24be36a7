"""`ai-semble keys`: what is printed where, and what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ai_semble.paths import Paths
from orchestrator.access.commands import app
from orchestrator.access.errors import ApiKeyExists, ApiKeyNotFound, KeysUnavailable
from orchestrator.access.keys import Limits, claimed_id
from orchestrator.access.store import KeyStore


@pytest.fixture(autouse=True)
def keys_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return Paths.of("default", {"XDG_STATE_HOME": str(tmp_path)}).keys_file


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list", "--json").stdout)
    return found


def test_standard_output_is_the_key_and_nothing_else() -> None:
    made = run("create", "ci")
    assert claimed_id(made.stdout.strip().encode()) == listed()[0]["id"]
    assert "not shown again" in made.stderr


def test_every_option_is_kept() -> None:
    run("create", "usual")
    options = ["--scope", "llm", "--scope", "metrics", "--model", "a", "--requests-per-minute", "5"]
    options += ["--tokens-per-minute", "6", "--parallel", "7", "--expires", "2099-01-01", "--json"]
    made = json.loads(run("create", "narrow", *options).stdout)
    usual, narrow = listed()
    assert usual["scopes"] == ["data", "health", "jobs", "llm", "nlp", "vision", "workflows"]
    assert (usual["models"], usual["expires_at"], usual["parallel"]) == ([], None, None)
    assert narrow == {key: value for key, value in made.items() if key != "key"}
    assert (narrow["scopes"], narrow["models"]) == (["llm", "metrics"], ["a"])
    assert [narrow[limit] for limit in ("requests_per_minute", "tokens_per_minute", "parallel")] == [5, 6, 7]
    assert narrow["expires_at"] == "2099-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "options",
    [["--scope", "all"], ["--expires", "soon"], ["--parallel", "0"], ["--requests-per-minute", "-1"]],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_makes_nothing(options: list[str], keys_file: Path) -> None:
    assert run("create", "x", *options).exit_code == 2
    assert run("create", "bad\nname").exit_code == 2
    assert not keys_file.exists()


def test_a_key_for_all_jobs_is_for_jobs() -> None:
    assert run("create", "a").exit_code == 0
    assert run("create", "b", "--scope", "all-jobs").exit_code == 0
    usual, for_all = listed()
    assert "all-jobs" not in usual["scopes"]
    assert for_all["scopes"] == ["all-jobs", "jobs"]


def test_a_name_is_one_key_s_until_it_is_revoked() -> None:
    run("create", "ci")
    assert isinstance(run("create", "ci").exception, ApiKeyExists)
    assert run("revoke", "ci").exit_code == 0
    assert run("create", "ci").exit_code == 0
    assert [key["state"] for key in listed()] == ["revoked", "valid"]
    assert isinstance(run("revoke", "nobody").exception, ApiKeyNotFound)
    assert run("rotate", listed()[1]["id"]).exit_code == 0, "an id means a key, too"


def test_a_damaged_file_is_said_and_left_as_it_is(keys_file: Path) -> None:
    run("create", "ci")
    for content in (b"", b"nonsense"):
        keys_file.write_bytes(content)
        for words in (["list"], ["create", "x"], ["revoke", "ci"]):
            assert isinstance(run(*words).exception, KeysUnavailable)
        assert keys_file.read_bytes() == content


def test_keys_made_at_once_are_all_there(keys_file: Path) -> None:
    store = KeyStore(keys_file)

    def create(number: int) -> None:
        store.create(f"key-{number}", frozenset(), frozenset(), Limits(), None)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, range(48)))
    assert len(store.all()) == 48


def test_an_expired_key_that_is_replaced_is_said_to_be_expired(keys_file: Path) -> None:
    KeyStore(keys_file).create("old", frozenset(), frozenset(), Limits(), 1.0)
    run("create", "present")
    replaced = run("rotate", "old")
    assert claimed_id(replaced.stdout.strip().encode())
    assert "old expired at 1970-01-01" in replaced.stderr
    assert json.loads(run("rotate", "old", "--json").stdout)["state"] == "expired"
    assert "expired" not in run("rotate", "present").stderr
