"""From a request to its results: the one place that knows which function does which task."""

from __future__ import annotations

from typing import assert_never

from ai_semble.schemas.nlp import (
    ClassifyRequest,
    EmbedRequest,
    EntitiesRequest,
    KeywordsRequest,
    LanguageRequest,
    NlpRequest,
    PiiRequest,
    SentimentRequest,
    SimilarityRequest,
    SummarizeRequest,
    TokenizeRequest,
)
from ai_services.nlp.tasks.classify import classify
from ai_services.nlp.tasks.embed import embed, similarity
from ai_services.nlp.tasks.entities import entities
from ai_services.nlp.tasks.keywords import keywords
from ai_services.nlp.tasks.language import language
from ai_services.nlp.tasks.pii import pii
from ai_services.nlp.tasks.sentiment import sentiment
from ai_services.nlp.tasks.summarize import summarize
from ai_services.nlp.tasks.tokenize import tokenize
from ai_services.nlp.tools import Result, Tools


def process(request: NlpRequest, tools: Tools) -> list[Result]:  # noqa: PLR0911 - one line a task
    """The results in the order of the texts (a similarity matrix is one). Blocks: call it in a worker thread.

    Raises LanguageNotSupported, ModelNotInstalled, ModelFailed, and Stopped when `tools` were told to stop.
    """
    match request:
        case SentimentRequest():
            return sentiment(request, tools)
        case EntitiesRequest():
            return entities(request, tools)
        case LanguageRequest():
            return language(request, tools)
        case KeywordsRequest():
            return keywords(request, tools)
        case SummarizeRequest():
            return summarize(request, tools)
        case TokenizeRequest():
            return tokenize(request, tools)
        case EmbedRequest():
            return embed(request, tools)
        case SimilarityRequest():
            return similarity(request, tools)
        case ClassifyRequest():
            return classify(request, tools)
        case PiiRequest():
            return pii(request, tools)
        case _:
            assert_never(request)


def is_single(request: NlpRequest) -> bool:
    """Whether the answer holds one `result` rather than `results`."""
    return request.text is not None or (isinstance(request, SimilarityRequest) and request.other is None)
