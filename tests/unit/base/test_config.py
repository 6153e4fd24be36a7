"""The configuration says what is wrong with it, and where every value came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_semble.commands.config import default_file
from ai_semble.config import Config
from ai_semble.errors import InvalidConfiguration
from ai_semble.loading import load
from ai_semble.render.table import RHYTHM

REPOSITORY = Path(__file__).parents[3]


def variables(tmp_path: Path, toml: str = "", **more: str) -> dict[str, str]:
    file = tmp_path / "ai-semble.toml"
    file.write_text(toml, encoding="utf-8")
    return {"HOME": str(tmp_path), "AI_SEMBLE_CONFIG": str(file), **more}


def test_without_a_file_the_defaults_are_used(tmp_path: Path) -> None:
    loaded = load({"HOME": str(tmp_path)})
    assert loaded.config == Config()
    assert {origin for *_, origin in loaded.rows()} == {"default"}


def test_a_variable_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    given = variables(
        tmp_path, "[orchestrator]\nport = 9000\nin_flight = 7\n", AI_SEMBLE_ORCHESTRATOR__PORT="9001"
    )
    loaded = load(given)
    assert loaded.config.orchestrator.port == 9001
    assert loaded.config.orchestrator.in_flight == 7
    origins = {f"{section}.{key}": origin for section, key, _, origin in loaded.rows()}
    assert origins["orchestrator.port"] == "variable AI_SEMBLE_ORCHESTRATOR__PORT"
    assert origins["orchestrator.in_flight"] == f"file {given['AI_SEMBLE_CONFIG']}"
    assert origins["llm.port"] == "default"


def test_a_list_is_given_by_a_variable_with_commas_or_as_toml(tmp_path: Path) -> None:
    for text in ("a.example,b.example", '["a.example", "b.example"]'):
        loaded = load(variables(tmp_path, AI_SEMBLE_SERVER__ALLOWED_HOSTS=text))
        assert loaded.config.server.allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[orchestrator]\nprot = 1\n", "orchestrator.prot"),
        ("[orchestrator]\nport = 70000\n", "orchestrator.port"),
        ("[orchestrater]\nport = 1\n", "orchestrater"),
        ("[environment]\nname = '../x'\n", "environment.name"),
        (f"[server]\nshutdown_grace_s = {RHYTHM.stop_s - 4}\n", "server.shutdown_grace_s"),
        ("port = 1\n", "port"),
        ("[orchestrator\n", "ai-semble.toml"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, toml: str, named: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        load(variables(tmp_path, toml))
    assert named in caught.value.detail
    assert caught.value.user_hint


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"nowhere\.toml"):
        load({"HOME": str(tmp_path), "AI_SEMBLE_CONFIG": str(tmp_path / "nowhere.toml")})


def test_the_commented_default_file_is_fresh_and_changes_nothing(tmp_path: Path) -> None:
    shipped = (REPOSITORY / "configs/ai-semble.toml").read_text(encoding="utf-8")
    assert shipped == default_file(), "run: ai-semble config defaults > configs/ai-semble.toml"
    assert load(variables(tmp_path, shipped)).config == Config()


def test_every_key_is_described() -> None:
    for name, section in Config():
        for key, field in type(section).model_fields.items():
            assert field.description, f"{name}.{key} has no description"
