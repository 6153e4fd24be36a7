"""What the vision service offers."""

from __future__ import annotations

from ai_semble.schemas.vision import VisionForm, VisionRequest, VisionResponse
from orchestrator.operations.operation import BODY, GATEWAY, Content, Operation, join

_SEED = {"image_url": "https://example.com/image.jpg", "task": "analyze"}
_EXAMPLES = {
    "analyze a picture at a URL": _SEED,
    "read the text of a picture": {"image_url": "https://example.com/receipt.png", "task": "ocr"},
    "find objects in a picture sent along": {"image": "iVBORw0KGgo...", "task": "detect", "min_score": 0.5},
}

VISION_OPERATIONS = (
    Operation(
        method="POST",
        path="/ai/vision/analyze",
        service="vision",
        tag="Vision",
        summary="Analyze a picture",
        description="Labels, objects, text (English and Japanese), faces, safety, and a sentence of it all. "
        "The picture comes as a URL that is fetched for you, as base64, or as a multipart upload. "
        "With `Accept: image/png` or `image/jpeg` the answer is the picture with everything drawn into it.",
        requests=(
            Content("application/json", VisionRequest, examples=_EXAMPLES),
            Content("multipart/form-data", VisionForm),
        ),
        answers=(
            Content("application/json", VisionResponse),
            Content("image/png"),
            Content("image/jpeg"),
        ),
        codes=join(
            GATEWAY,
            BODY,
            {
                403: ("url_not_allowed",),
                406: ("not_acceptable",),
                413: ("image_too_large",),
                415: ("image_format_unsupported",),
                422: (
                    "image_unreadable",
                    "image_truncated",
                    "image_too_small",
                    "image_url_not_fetched",
                    "invalid_url",
                    "url_too_large",
                    "url_wrong_type",
                ),
                424: ("url_fetch_failed", "url_timeout"),
                503: ("model_not_installed", "model_damaged"),
            },
        ),
        may_be_job=True,
    ),
)
