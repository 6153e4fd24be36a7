"""The running service over HTTP."""

from __future__ import annotations

import base64
import io
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from ai_semble.config import Config, ModelsConfig, VisionConfig
from ai_semble.schemas.vision import VisionResponse
from ai_semble.service import Runtime
from ai_services.vision.app import create_app
from tests.support.pictures import (
    ENGLISH_PAGE,
    JAPANESE_PAGE,
    bomb_png,
    encode,
    page,
    photo,
    with_orientation,
)
from tests.support.serving import serving

PATH = "/ai/vision/analyze"
CAT = encode(photo("chelsea"), "JPEG")


def upload(
    api: httpx.Client, data: bytes, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    return api.post(PATH, files={"image": ("x", data)}, data=fields, headers=headers)


def answered(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    VisionResponse.model_validate_json(response.content)
    answer: dict[str, Any] = response.json()
    return answer


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["hint"]
    assert problem["source"] == "vision"
    return problem


def test_an_upload_is_analyzed(api: httpx.Client) -> None:
    answer = answered(upload(api, CAT))
    assert answer["task"] == "analyze"
    assert answer["image"] == {"width": 451, "height": 300, "format": "JPEG"}
    assert answer["description"].startswith("A picture of a cat, perhaps a")
    assert answer["objects"][0]["label"] == "cat"
    assert answer["safety"]["safe"] is True
    assert answer["models"]["labels"] == "efficientnet-lite0"
    assert set(answer["timings"]) >= {"queue_ms", "decode_ms", "labels_ms", "text_ms", "total_ms"}
    assert "embedding" not in answer


def test_base64_and_data_urls_and_uploads_give_the_same_answer(api: httpx.Client) -> None:
    encoded = base64.b64encode(CAT).decode()
    answers = [
        answered(upload(api, CAT, task="classify")),
        answered(api.post(PATH, json={"image": encoded, "task": "classify"})),
        answered(api.post(PATH, json={"image_url": f"data:image/jpeg;base64,{encoded}", "task": "classify"})),
        answered(
            api.post(
                PATH, files={"request": (None, '{"task": "classify"}'), "image": ("image", CAT, "image/png")}
            )
        ),
    ]
    assert all(answer["labels"] == answers[0]["labels"] for answer in answers)
    assert {tuple(sorted(answer.keys() - {"timings"})) for answer in answers} == {
        ("image", "labels", "models", "task")
    }


def test_top_k_and_min_score_limit_the_labels(api: httpx.Client) -> None:
    assert len(answered(upload(api, CAT, task="classify", top_k=2, min_score=0))["labels"]) == 2
    assert answered(upload(api, CAT, task="classify", min_score=0.99))["labels"] == []


def test_boxes_are_in_pixels_of_the_upright_original(api: httpx.Client) -> None:
    astronaut = photo("astronaut")
    large = encode(astronaut.resize((2048, 2048)), "JPEG")
    turned = with_orientation(astronaut, 6)
    small_box, large_box, turned_box = (
        answered(upload(api, data, task="faces"))["faces"][0]["box"]
        for data in (encode(astronaut), large, turned)
    )
    for key, value in small_box.items():
        assert turned_box[key] == pytest.approx(value, abs=6)
        assert large_box[key] == pytest.approx(4 * value, abs=24)


def test_text_comes_with_its_lines(api: httpx.Client) -> None:
    answer = answered(upload(api, encode(page(JAPANESE_PAGE)), task="ocr"))
    assert [line["text"] for line in answer["text"]["lines"]][1] == JAPANESE_PAGE[1]
    assert answer["text"]["content"].count("\n") == len(JAPANESE_PAGE) - 1
    first = answer["text"]["lines"][0]
    assert first["polygon"][0]["x"] < first["polygon"][1]["x"]
    assert first["box"]["width"] > 200


def test_a_page_in_exif_rotation_is_read(api: httpx.Client) -> None:
    answer = answered(upload(api, with_orientation(page(ENGLISH_PAGE), 8), task="ocr"))
    assert ENGLISH_PAGE[1] in answer["text"]["content"]


def test_an_embedding_has_length_one(api: httpx.Client) -> None:
    vector = answered(upload(api, CAT, task="embed"))["embedding"]
    assert len(vector) == 1280
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("accept", "format_"),
    [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("image/*", "PNG"), ("image/png, */*", "PNG")],
)
@pytest.mark.parametrize("task", ["analyze", "classify", "detect", "ocr", "faces", "safety"])
def test_asked_for_a_picture_it_draws(api: httpx.Client, task: str, accept: str, format_: str) -> None:
    small = encode(photo("chelsea").resize((150, 100)), "JPEG")
    response = upload(api, small, {"accept": accept}, task=task)
    assert response.headers["content-type"] == f"image/{format_.lower()}"
    drawn = Image.open(io.BytesIO(response.content))
    assert drawn.format == format_
    assert drawn.width >= 150


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/*", "text/html, application/json;q=0.9"]
)
def test_otherwise_it_answers_json(api: httpx.Client, accept: str) -> None:
    answered(upload(api, CAT, {"accept": accept}, task="safety"))


def test_what_it_cannot_give_is_refused(api: httpx.Client) -> None:
    refused(upload(api, CAT, {"accept": "text/html"}), 406, "not_acceptable")
    refused(upload(api, CAT, {"accept": "image/png"}, task="embed"), 406, "not_acceptable")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "image"),
        ({"image": "aGVsbG8=", "image_url": "data:,x"}, "image"),
        ({"image": "not base64!"}, "image"),
        ({"image": "日本"}, "image"),
        ({"image": "===="}, "image"),
        ({"image": None}, "image"),
        ({"image": "aGVsbG8=", "task": "paint"}, "task"),
        ({"image": "aGVsbG8=", "top_k": 0}, "top_k"),
        ({"image": "aGVsbG8=", "min_score": 2}, "min_score"),
        ({"image": "aGVsbG8=", "colour": "red"}, "colour"),
        ({"image_url": "data:image/png;base64"}, "image_url"),
        ({"image_url": "picture.png"}, "image_url"),
        ({"image_url": ""}, "image_url"),
    ],
)
def test_a_wrong_field_is_named(api: httpx.Client, body: dict[str, Any], field: str) -> None:
    problem = refused(api.post(PATH, json=body), 422, "invalid_request")
    assert field in {error["field"] for error in problem["errors"]}


def test_a_url_is_left_to_the_orchestrator(api: httpx.Client) -> None:
    for url in ("http://example.com/x.png", "https://example.com/x.png", "ftp://example.com/x"):
        refused(api.post(PATH, json={"image_url": url}), 422, "image_url_not_fetched")


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_body"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b"\xff\xfe", "application/json", 400, "malformed_body"),
        (b"x", "text/plain", 415, "unsupported_media_type"),
        (CAT, "image/jpeg", 415, "unsupported_media_type"),
        (b"--x", "multipart/form-data", 400, "malformed_body"),
        (b"nothing", "multipart/form-data; boundary=x", 400, "malformed_body"),
    ],
)
def test_a_wrong_body_is_named(api: httpx.Client, content: bytes, kind: str, status: int, code: str) -> None:
    refused(api.post(PATH, content=content, headers={"content-type": kind}), status, code)


def test_a_wrong_form_is_named(api: httpx.Client) -> None:
    refused(api.post(PATH, files={"picture": ("x", CAT)}), 422, "invalid_request")
    refused(upload(api, CAT, colour="red"), 422, "invalid_request")
    refused(upload(api, CAT, top_k="many"), 422, "invalid_request")
    refused(upload(api, CAT, request="{", task="ocr"), 422, "invalid_request")
    refused(upload(api, CAT, request="{"), 400, "malformed_body")
    refused(upload(api, b""), 422, "invalid_request")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "image_format_unsupported"),
        (CAT[: len(CAT) // 2], 422, "image_truncated"),
        (encode(Image.new("RGB", (1, 1))), 422, "image_too_small"),
        (bomb_png(10_000, 10_000), 413, "image_too_large"),
    ],
    ids=["SVG", "truncated", "1 x 1", "100 megapixels"],
)
def test_a_wrong_picture_is_named(api: httpx.Client, data: bytes, status: int, code: str) -> None:
    refused(upload(api, data), status, code)


def test_health_tells_every_model_and_its_device(api: httpx.Client) -> None:
    health = api.get("/health").json()
    assert health["state"] == "ready"
    assert {model["task"] for model in health["models"]} == {"classify", "detect", "ocr", "faces", "safety"}
    assert {(model["state"], model["device"]) for model in health["models"]} == {("loaded", "cpu")}


def test_metrics_count_pictures_and_time(api: httpx.Client) -> None:
    upload(api, CAT, task="classify")
    text = api.get("/metrics").text
    assert re.search(r'ai_semble_vision_pictures_total\{service="vision",task="classify"\} [1-9]', text)
    assert 'ai_semble_vision_step_seconds_count{service="vision",step="decode"}' in text
    resident = 'ai_semble_vision_model_resident{device="cpu",model="ppocr-v6-small",service="vision"} 1.0'
    assert resident in text
    assert "ai_semble_vision_waiting" in text


def test_many_requests_at_once_get_their_own_answers(api: httpx.Client) -> None:
    names = ["chelsea", "coffee"] * 8
    files = {name: encode(photo(name), "JPEG") for name in set(names)}

    def best(name: str) -> str:
        label: str = answered(upload(api, files[name], task="classify"))["labels"][0]["label"]
        return label

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(best, names))
    assert found == ["tiger cat", "espresso"] * 8


def test_a_full_queue_refuses_with_a_time_to_wait(config: Config) -> None:
    vision = VisionConfig(workers=1, max_waiting=0, preload=("text",))
    app = create_app(Runtime.create("vision", config.model_copy(update={"vision": vision})))
    data = encode(page(ENGLISH_PAGE))
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as api, ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: upload(api, data, task="ocr"), range(8)))
    statuses = {response.status_code for response in responses}
    assert statuses == {200, 503}
    busy = next(response for response in responses if response.status_code == 503)
    assert refused(busy, 503, "overloaded")
    assert int(busy.headers["retry-after"]) >= 1


def test_an_order_whose_client_went_away_is_not_worked_on(config: Config) -> None:
    vision = VisionConfig(workers=1, preload=("text", "safety"))
    app = create_app(Runtime.create("vision", config.model_copy(update={"vision": vision})))
    slow = encode(page(ENGLISH_PAGE * 3))
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as api, ThreadPoolExecutor(2) as pool:
        first = pool.submit(upload, api, slow, task="ocr")
        wait_for(api, "ai_semble_vision_running", 1)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}{PATH}", files={"image": CAT}, data={"task": "safety"}, timeout=0.05)
        wait_for(api, "ai_semble_vision_waiting", 0)
        answered(first.result())
        assert 'task="safety"' not in api.get("/metrics").text


def wait_for(api: httpx.Client, gauge: str, value: int) -> None:
    """Until the gauge has the value; fails when it takes long."""
    until = time.monotonic() + 20
    while f'{gauge}{{service="vision"}} {value}.0' not in api.get("/metrics").text:
        assert time.monotonic() < until, f"{gauge} did not become {value}"
        time.sleep(0.01)


def test_without_its_model_a_task_says_how_to_get_it(config: Config, tmp_path: Path) -> None:
    shutil.copytree(config.models_dir() / "efficientnet-lite0", tmp_path / "efficientnet-lite0")
    app = create_app(Runtime.create("vision", Config(models=ModelsConfig(directory=tmp_path))))
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as api:
        assert api.get("/health").json()["state"] == "degraded"
        answered(upload(api, CAT, task="classify"))
        problem = refused(upload(api, CAT, task="ocr"), 503, "model_not_installed")
        assert "./scripts/deploy.sh models pull" in problem["hint"]


def test_a_damaged_model_is_reported_and_the_service_goes_on(config: Config, tmp_path: Path) -> None:
    for name in ("efficientnet-lite0", "open-nsfw"):
        shutil.copytree(config.models_dir() / name, tmp_path / name)
    damaged = tmp_path / "open-nsfw" / "model.onnx"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    app = create_app(Runtime.create("vision", Config(models=ModelsConfig(directory=tmp_path))))
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as api:
        refused(upload(api, CAT, task="safety"), 503, "model_damaged")
        models = {model["name"]: model for model in api.get("/health").json()["models"]}
        assert models["open-nsfw"]["state"] == "failed"
        assert models["open-nsfw"]["detail"]
        answered(upload(api, CAT, task="classify"))
