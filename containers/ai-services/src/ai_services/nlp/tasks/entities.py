"""People, organisations, places, dates, amounts and more, with one set of types for every language."""

from __future__ import annotations

from ai_semble.schemas.nlp import EntitiesRequest, EntityType
from ai_services.nlp.engines.pipelines import Name
from ai_services.nlp.pii.patterns import contacts
from ai_services.nlp.tasks.entity_types import type_of
from ai_services.nlp.tools import Document, Result, Tools, by_language

LANGUAGES = frozenset(["en", "ja"])


def entities(request: EntitiesRequest, tools: Tools) -> list[Result]:
    """The entities of each text, in its order."""
    documents = tools.documents(request, LANGUAGES)
    wanted = set(request.types or EntityType)
    found = names_of(tools, documents)
    return [
        {
            "entities": [
                item for item in _with_contacts(document.text, names or []) if item["type"] in wanted
            ],
            "language": document.language,
        }
        for document, names in zip(documents, found, strict=True)
    ]


def names_of(tools: Tools, documents: list[Document]) -> list[list[Name] | None]:
    """What each document names; None where its language has no model."""
    return by_language(
        documents,
        {
            "en": lambda texts: tools.english.names(texts, tools.check),
            "ja": lambda texts: tools.japanese_names.names(texts, tools.check),
        },
    )


def _with_contacts(text: str, names: list[Name]) -> list[Result]:
    """Telephone numbers, e-mail and web addresses are found by pattern: the models take them for amounts."""
    certain = [
        _entity(Name(text[start:end], start, end, "pattern"), EntityType.CONTACT)
        for start, end in contacts(text)
    ]
    likely = [
        _entity(name, type_of(name.label, name.text))
        for name in names
        if not any(name.start < other["end"] and other["start"] < name.end for other in certain)
    ]
    return sorted([*certain, *likely], key=lambda item: (item["start"], item["end"]))


def _entity(name: Name, kind: EntityType) -> Result:
    return {"text": name.text, "start": name.start, "end": name.end, "type": kind, "label": name.label}
