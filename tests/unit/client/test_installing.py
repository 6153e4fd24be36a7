"""The package as it is installed: alone, and beside the services."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.installing import REPOSITORY, environment_with, wheel_of
from tests.support.upstream import Upstream
from tests.unit.client.replies import LANGUAGE, fine

CLIENT = REPOSITORY / "clients" / "python"
BASE = REPOSITORY / "containers" / "base"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return wheel_of(CLIENT, folder), wheel_of(BASE, folder)


def run(
    program: Path, *words: str, home: Path, url: str = "http://127.0.0.1:9"
) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "AI_SEMBLE_URL": url}
    return subprocess.run(
        [program, *words], env=variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_alone_it_needs_no_service(wheels: tuple[Path, Path], tmp_path: Path, server: Upstream) -> None:
    server.answer = fine(LANGUAGE)
    programs = environment_with(tmp_path / "venv", wheels[0])
    answer = run(programs / "ai-semble", "nlp", "language", "x", home=tmp_path, url=server.url)
    assert answer.returncode == 0, answer.stderr
    assert "ja" in answer.stdout
    forbidden = (
        "import sys, ai_semble_client.cli.app; print({'ai_semble', 'fastapi', 'uvicorn'} & set(sys.modules))"
    )
    assert run(programs / "python", "-c", forbidden, home=tmp_path).stdout.strip() == "set()"
    typed = next((tmp_path / "venv" / "lib").glob("python*/site-packages/ai_semble_client/py.typed"))
    assert typed.exists()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["services last", "client last"])
def test_beside_the_services_there_is_one_program_with_all_commands(
    order: tuple[int, int], wheels: tuple[Path, Path], tmp_path: Path, server: Upstream
) -> None:
    server.answer = fine(LANGUAGE)
    programs = environment_with(tmp_path / "venv", *(wheels[place] for place in order))
    program = programs / "ai-semble"
    asked = run(program, "nlp", "language", "x", "--json", home=tmp_path, url=server.url)
    assert asked.returncode == 0, asked.stderr
    shown = run(program, "config", "show", home=tmp_path)
    assert shown.returncode == 0, shown.stderr
    words = run(program, "--help", home=tmp_path).stdout.split()
    assert {"chat", "see", "read", "nlp", "data", "jobs", "completion", "config", "embedded", "serve"} <= set(
        words
    )
