"""What the language processing service offers."""

from __future__ import annotations

from ai_semble.schemas.nlp import EmbeddingsRequest, NlpRequest
from ai_semble.schemas.nlp_answers import EmbeddingsAnswer, NlpAnswer
from orchestrator.operations.operation import BODY, GATEWAY, Content, Operation, join

_EXAMPLES = {
    "sentiment": {"text": "This is a great product!", "task": "sentiment"},
    "entities in Japanese": {"text": "山田太郎は2026年に東京で働いています。", "task": "entities"},
    "find and redact personal data": {"text": "Write to ann@example.com", "task": "pii"},
    "classify with labels of your own": {
        "texts": ["The battery died after a week."],
        "task": "classify",
        "labels": ["defect", "delivery", "praise"],
    },
}

NLP_OPERATIONS = (
    Operation(
        method="POST",
        path="/ai/nlp/process",
        service="nlp",
        tag="Language",
        summary="Process text",
        description="Sentiment, entities, language, keywords, summary, tokens, embeddings, similarity, "
        "classification by your own labels, and personal data, of one `text` or up to 1,000 `texts`.",
        requests=(Content("application/json", NlpRequest, examples=_EXAMPLES),),
        answers=(Content("application/json", NlpAnswer),),
        codes=join(
            GATEWAY,
            BODY,
            {422: ("language_not_supported",), 503: ("model_not_installed", "model_damaged", "model_failed")},
        ),
        may_be_job=True,
    ),
    Operation(
        method="POST",
        path="/v1/embeddings",
        service="nlp",
        tag="OpenAI",
        summary="Embed text (OpenAI)",
        description="OpenAI's call for embeddings; the SDK works with `base_url` set to this server's `/v1`.",
        requests=(
            Content(
                "application/json",
                EmbeddingsRequest,
                examples={"two texts": {"model": "use-multilingual-v3", "input": ["a cat", "ねこ"]}},
            ),
        ),
        answers=(Content("application/json", EmbeddingsAnswer),),
        codes=join(
            GATEWAY,
            BODY,
            {404: ("model_not_found",), 503: ("model_not_installed", "model_damaged", "model_failed")},
        ),
    ),
)
