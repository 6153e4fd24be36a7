"""Personal data: found and masked."""

from __future__ import annotations

from ai_semble.schemas.nlp import PiiRequest, PiiType
from ai_services.nlp.engines.pipelines import Name
from ai_services.nlp.pii.finder import find
from ai_services.nlp.pii.masks import Masker, masked
from ai_services.nlp.tasks.entities import LANGUAGES as LANGUAGES_WITH_NAMES
from ai_services.nlp.tasks.entities import names_of
from ai_services.nlp.tools import Document, Result, Tools

_BY_NAME = {PiiType.PERSON, PiiType.LOCATION}


def pii(request: PiiRequest, tools: Tools) -> list[Result]:
    """The masked text and what was found in it, for each text."""
    documents = tools.any_documents(request, LANGUAGES_WITH_NAMES)
    wanted = set(request.types or PiiType)
    names: list[list[Name] | None] = [None] * len(documents)
    if wanted & _BY_NAME:
        names = names_of(tools, documents)
    return [_report(item, found, request, wanted) for item, found in zip(documents, names, strict=True)]


def _report(
    document: Document, names: list[Name] | None, request: PiiRequest, wanted: set[PiiType]
) -> Result:
    text = document.text
    found = find(text, names or (), wanted, request.min_score)
    masker = Masker(request.mask)
    masks = [masker.mask(match.kind, text[match.start : match.end]) for match in found]
    return {
        "text": masked(text, found, masks),
        "findings": [
            {
                "type": match.kind,
                "text": text[match.start : match.end],
                "start": match.start,
                "end": match.end,
                "score": match.score,
                "masked": mask,
            }
            for match, mask in zip(found, masks, strict=True)
        ],
        "names_searched": names is not None,
        "language": document.language,
    }
