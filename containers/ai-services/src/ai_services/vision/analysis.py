"""What is done for a task: which pixels are needed, which models look at them, what they say together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from ai_semble.metrics import Metrics
from ai_semble.schemas.vision import ImageInfo, VisionOptions, VisionResponse, VisionTask
from ai_services.vision.engines.classifier import SHORT_SIDE
from ai_services.vision.imaging.decoding import PictureDecoder
from ai_services.vision.imaging.picture import Need, Picture
from ai_services.vision.looking import Look
from ai_services.vision.shelf import Part, Shelf
from ai_services.vision.wording.description import Seen, describe
from ai_services.vision.wording.kinds import Kind

PARTS: Final = {
    VisionTask.ANALYZE: (Part.LABELS, Part.OBJECTS, Part.TEXT, Part.FACES, Part.SAFETY),
    VisionTask.CLASSIFY: (Part.LABELS,),
    VisionTask.DETECT: (Part.OBJECTS,),
    VisionTask.OCR: (Part.TEXT,),
    VisionTask.FACES: (Part.FACES,),
    VisionTask.SAFETY: (Part.SAFETY,),
    VisionTask.EMBED: (Part.EMBEDDING,),
}
_ALL_PIXELS: Final = Need()
_NEEDS: Final = {
    VisionTask.CLASSIFY: Need(short_side=SHORT_SIDE),
    VisionTask.EMBED: Need(short_side=SHORT_SIDE),
    VisionTask.SAFETY: Need(short_side=256),
    VisionTask.DETECT: Need(long_side=832),
    VisionTask.FACES: Need(long_side=1024),
}


@dataclass
class Timings:
    """Milliseconds by step, in the order in which the steps ended."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.steps[f"{step}_ms"] = round((time.perf_counter() - began) * 1000, 2)


@dataclass(frozen=True)
class Analysis:
    """The answer, and the picture that it is about, for drawing."""

    answer: VisionResponse
    picture: Picture


class Analyst:
    """Answers a task about the bytes of a picture. Blocks; may be used by several threads."""

    def __init__(self, shelf: Shelf, decoder: PictureDecoder, unsafe_from: float, metrics: Metrics) -> None:
        self._shelf = shelf
        self._decoder = decoder
        self._unsafe_from = unsafe_from
        self._seconds = metrics.histogram("ai_semble_vision_step_seconds", "Time a step took.", ["step"])
        self._pictures = metrics.counter("ai_semble_vision_pictures", "Pictures answered.", ["task"])
        self._pixels = metrics.counter("ai_semble_vision_pixels", "Pixels of the pictures answered.").labels()

    def analyze(self, data: bytes, options: VisionOptions, *, for_drawing: bool = False) -> Analysis:
        """Decode, look, and put into words.

        Raises the errors of `errors.py`, ModelNotInstalled and ModelDamaged.
        """
        timings = Timings()
        with timings.measure("total"):
            with timings.measure("decode"):
                need = _ALL_PIXELS if for_drawing else _NEEDS.get(options.task, _ALL_PIXELS)
                picture = self._decoder.decode(data, need)
            found = self._found(Look(picture, options, self._shelf, self._unsafe_from), timings)
        self._count(picture, options.task, timings)
        return Analysis(self._answer(picture, options.task, found, timings), picture)

    def _found(self, look: Look, timings: Timings) -> dict[str, Any]:
        """Everything that the task asks for, by its field in the answer."""
        found: dict[str, Any] = {}
        for part in PARTS[look.options.task]:
            with timings.measure(part):
                found[part] = look.at(part)
        if look.options.task is VisionTask.ANALYZE:
            found["description"] = describe(_seen(found, look.kind()))
        return found

    def _answer(
        self, picture: Picture, task: VisionTask, found: Mapping[str, Any], timings: Timings
    ) -> VisionResponse:
        return VisionResponse(
            task=task,
            models={part: self._shelf.of(part).name for part in PARTS[task]},
            image=ImageInfo(width=picture.width, height=picture.height, format=picture.format),
            timings=timings.steps,
            **found,
        )

    def _count(self, picture: Picture, task: VisionTask, timings: Timings) -> None:
        self._pictures.labels(task).inc()
        self._pixels.inc(picture.width * picture.height)
        for step, milliseconds in timings.steps.items():
            self._seconds.labels(step.removesuffix("_ms")).observe(milliseconds / 1000)


def _seen(found: Mapping[str, Any], kind: Kind | None) -> Seen:
    """What the description is made from."""
    return Seen(
        labels=found[Part.LABELS],
        kind=kind,
        objects=found[Part.OBJECTS],
        faces=len(found[Part.FACES]),
        lines=found[Part.TEXT].content.splitlines(),
        unsafe=not found[Part.SAFETY].safe,
    )
