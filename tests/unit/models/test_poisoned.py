"""A model that somebody changed after it was fetched."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ai_semble.config import Config
from ai_semble.service import Runtime
from ai_services.llm import app as llm
from ai_services.nlp import app as nlp
from ai_services.vision import app as vision
from tests.support.attacks import attack
from tests.support.pictures import encode, photo
from tests.support.raw_http import wait_until
from tests.support.serving import serving

QUESTIONS: dict[str, tuple[Callable[[Runtime], FastAPI], str, str, dict[str, Any]]] = {
    "llm": (llm.create_app, "smollm2-135m-instruct", "/ai/llm/completion", {"prompt": "Hi", "max_tokens": 1}),
    "vision": (
        vision.create_app,
        "efficientnet-lite0",
        "/ai/vision/analyze",
        {"image": base64.b64encode(encode(photo("chelsea"), "JPEG")).decode(), "task": "classify"},
    ),
    "nlp": (nlp.create_app, "lid-176", "/ai/nlp/process", {"text": "Good morning", "task": "language"}),
}


def change_one_byte(folder: Path) -> None:
    """In the middle of the largest file, which are weights: it is as long as before, and can be opened."""
    weights = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    with weights.open("r+b") as file:
        file.seek(weights.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


@attack(
    threat="A model file that was changed where it lies answers as somebody else wants",
    control="Every file is compared with the sha256 of its manifest before a model is opened",
    file="containers/ai-services/src/ai_services/models/store.py",
)
@pytest.mark.parametrize("service", QUESTIONS)
def test_a_changed_model_is_not_opened(models_dir: str, tmp_path: Path, service: str) -> None:
    create_app, model, path, body = QUESTIONS[service]
    shutil.copytree(Path(models_dir) / model, tmp_path / model)
    config = Config.model_validate({"models": {"directory": str(tmp_path)}})
    runtime = Runtime.create(service, config)
    change_one_byte(tmp_path / model)
    with serving(create_app(runtime)) as url, httpx.Client(base_url=url, timeout=60) as api:
        wait_until(lambda: code(api, path, body) == "model_damaged", "it is found out")
        states = {one["name"]: one for one in api.get("/health").json()["models"]}
        assert states[model]["state"] == "failed"
        assert "sha256" in states[model]["detail"]


def code(api: httpx.Client, path: str, body: dict[str, Any]) -> str:
    answer = api.post(path, json=body)
    assert answer.status_code == 503, answer.text
    found: str = answer.json()["code"]
    return found
