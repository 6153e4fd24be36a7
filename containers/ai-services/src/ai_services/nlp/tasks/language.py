"""Which language a text is in."""

from __future__ import annotations

from ai_semble.schemas.nlp import LanguageRequest
from ai_services.nlp.tools import Result, Tools


def language(request: LanguageRequest, tools: Tools) -> list[Result]:
    """The best candidate, and `top` of them with scores."""
    return [_result(text, request.top, tools) for text in request.all_texts()]


def _result(text: str, top: int, tools: Tools) -> Result:
    candidates = [
        {"language": name, "score": round(score, 4)} for name, score in tools.identifier.candidates(text, top)
    ]
    return {**candidates[0], "candidates": candidates}
