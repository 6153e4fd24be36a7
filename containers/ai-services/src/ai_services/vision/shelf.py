"""The models of the service, one for each part of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ai_semble.config import Config
from ai_semble.cores import usable_cores
from ai_services.vision.engines.classifier import Classifier
from ai_services.vision.engines.detector import ObjectFinder
from ai_services.vision.engines.faces import FaceFinder
from ai_services.vision.engines.ocr.reader import TextReader
from ai_services.vision.engines.safety import SafetyJudge
from ai_services.vision.engines.sessions import SessionSettings
from ai_services.vision.residency import Place, Resident


class Part(StrEnum):
    """A part of an answer, as its field is called."""

    LABELS = "labels"
    EMBEDDING = "embedding"
    OBJECTS = "objects"
    TEXT = "text"
    FACES = "faces"
    SAFETY = "safety"


@dataclass(frozen=True)
class Shelf:
    """One of each."""

    classifier: Resident[Classifier]
    objects: Resident[ObjectFinder]
    text: Resident[TextReader]
    faces: Resident[FaceFinder]
    safety: Resident[SafetyJudge]

    @classmethod
    def create(cls, config: Config, place: Place) -> Shelf:
        """Opens nothing."""
        vision = config.vision
        settings = SessionSettings(threads_of(config), vision.device)
        return cls(
            Resident(vision.labels_model, "classify", lambda m: Classifier(m.files, settings), place),
            Resident(vision.objects_model, "detect", lambda m: ObjectFinder(m.files, settings), place),
            Resident(vision.text_model, "ocr", lambda m: TextReader(m.files, settings), place),
            Resident(vision.faces_model, "faces", lambda m: FaceFinder(m.files, settings), place),
            Resident(vision.safety_model, "safety", lambda m: SafetyJudge(m.files, settings), place),
        )

    def of(self, part: Part) -> Resident[Any]:
        """The model that answers a part."""
        match part:
            case Part.LABELS | Part.EMBEDDING:
                return self.classifier
            case Part.OBJECTS:
                return self.objects
            case Part.TEXT:
                return self.text
            case Part.FACES:
                return self.faces
            case Part.SAFETY:
                return self.safety

    def all(self) -> Iterator[Resident[Any]]:
        yield from (self.classifier, self.objects, self.text, self.faces, self.safety)


def threads_of(config: Config) -> int:
    """Compute threads of one run: those of the configuration, or one a core that this process may use."""
    return config.resources.threads or usable_cores()
