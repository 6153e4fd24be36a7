"""One picture looked at for one request: each part of the answer by its model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ai_semble.schemas.vision import DetectedObject, Face, Label, Safety, Text, VisionOptions
from ai_services.vision import answers
from ai_services.vision.engines import classifier
from ai_services.vision.engines.classifier import Impression
from ai_services.vision.imaging.picture import Picture
from ai_services.vision.shelf import Part, Shelf
from ai_services.vision.wording.kinds import Kind, likeliest_kind

_LEAST_SCORES: Final = {Part.LABELS: 0.05, Part.OBJECTS: 0.45, Part.TEXT: 0.5, Part.FACES: 0.65}

PartAnswer = (
    tuple[Label, ...] | tuple[DetectedObject, ...] | tuple[Face, ...] | tuple[float, ...] | Text | Safety
)


@dataclass
class Look:
    """Opens the models that it needs; blocks."""

    picture: Picture
    options: VisionOptions
    shelf: Shelf
    unsafe_from: float

    def at(self, part: Part) -> PartAnswer:
        """One part of the answer."""
        match part:
            case Part.LABELS:
                return self.labels()
            case Part.EMBEDDING:
                return answers.embedding(self.impression.features)
            case Part.OBJECTS:
                found = self.shelf.objects.get().find(self.picture.pixels, self._least(part))
                return answers.objects(self.picture, found)
            case Part.TEXT:
                lines = self.shelf.text.get().read(self.picture.pixels, self._least(part))
                return answers.text(self.picture, lines)
            case Part.FACES:
                faces = self.shelf.faces.get().find(self.picture.pixels, self._least(part))
                return answers.faces(self.picture, faces)
            case Part.SAFETY:
                return self.safety()

    def labels(self) -> tuple[Label, ...]:
        labels = self.shelf.classifier.get().labels
        least, most = self._least(Part.LABELS), self.options.top_k
        return answers.labels(classifier.best(self.impression.probabilities, labels, most, least))

    def safety(self) -> Safety:
        score = round(self.shelf.safety.get().judge(self.picture.pixels), 4)
        return Safety(safe=score < self.unsafe_from, unsafe_score=score, threshold=self.unsafe_from)

    @cached_property
    def impression(self) -> Impression:
        """Labels, embedding and kind come from one run of the network."""
        return self.shelf.classifier.get().look(self.picture.pixels)

    def kind(self) -> Kind | None:
        return likeliest_kind(self.impression.probabilities, self.shelf.classifier.get().labels)

    def _least(self, part: Part) -> float:
        return _LEAST_SCORES[part] if self.options.min_score is None else self.options.min_score
