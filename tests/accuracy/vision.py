"""How right the vision tasks are, on pictures with known content, as a Markdown table.

    python tests/accuracy/vision.py [--misses]

Photographs are scikit-image's own, each also smaller, mirrored, darker, brighter, grey and blurred; faces are
its 100 from Labeled Faces in the Wild (25 x 25 pixels, enlarged) and 100 pieces that are none; pages are
rendered. These are few pictures and clean pages: the figures show that the pipelines do what their networks
can do, not how they fare on yours.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from ai_semble.config import Config, ModelsConfig
from ai_semble.logs import configure_logs
from ai_semble.schemas.vision import VisionOptions, VisionResponse, VisionTask
from ai_semble.service import Runtime
from ai_services.models.store import ModelStore
from ai_services.vision.analysis import Analyst
from ai_services.vision.imaging.decoding import PictureDecoder
from ai_services.vision.residency import Place, Reporter
from ai_services.vision.shelf import Shelf
from tests.support.models import models_directory
from tests.support.pictures import encode, page, photo, vertical_page, with_orientation

CATS = {"tiger cat", "Egyptian cat", "tabby"}
ROCKETS = {"missile", "projectile", "space shuttle"}
LABELS = {"chelsea": CATS, "coffee": {"espresso"}, "rocket": ROCKETS, "camera": {"tripod", "reflex camera"}}
OBJECTS = {
    "astronaut": ("person", (0.03, 0.03, 0.71, 0.99)),
    "camera": ("person", (0.01, 0.13, 0.62, 1.0)),
    "chelsea": ("cat", (0.0, 0.0, 0.98, 0.99)),
}
"""Left, top, right, bottom as shares of the picture, measured by hand."""
FACES = {"astronaut": (0.335, 0.14, 0.535, 0.345), "camera": (0.37, 0.245, 0.5, 0.385)}
ENGLISH = (
    "The committee will meet on Tuesday to review the annual",
    "budget and to discuss new projects. Members are asked to",
    "bring their notes from the previous session, since several",
    "questions (numbers 3, 7 and 12) remain open. Please confirm",
    "your attendance by Friday at noon: office@example.com",
)
JAPANESE = (
    "本日は多くの皆様にお集まりいただき、誠にありがとうございます。",
    "新しい研究所では人工知能の基礎から応用まで幅広く研究を進め、",
    "地域の産業と教育に貢献することを目指しています。",
    "来年度の予算は前年比で12パーセント増加しました。",
    "お問い合わせは電話03-1234-5678、山田までお願いします。",
)
DOWNWARDS = ("吾輩は猫である", "名前はまだ無い", "どこで生れたか", "とんと見当がつかぬ")

Change = Callable[[Image.Image], Image.Image]
CHANGES: dict[str, Change] = {
    "as it is": lambda image: image,
    "half size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "mirrored": ImageOps.mirror,
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
}


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    task: str
    subject: str
    items: int
    measure: str
    value: str

    def row(self) -> str:
        return f"| {self.task} | {self.subject} | {self.items} | {self.measure} | {self.value} |"


@dataclass
class Measurer:
    """Runs the tasks in this process, and keeps what went wrong."""

    analyst: Analyst
    misses: list[str] = field(default_factory=list)

    def answer(self, task: VisionTask, image: Image.Image | bytes, top_k: int = 5) -> VisionResponse:
        data = image if isinstance(image, bytes) else encode(image, "JPEG", quality=90)
        return self.analyst.analyze(data, VisionOptions(task=task, top_k=top_k)).answer

    def note(self, right: bool, miss: str) -> bool:
        if not right:
            self.misses.append(miss)
        return right


def share(right: Sequence[bool]) -> str:
    return f"{sum(right) / len(right):.0%}"


def variants(names: Sequence[str]) -> Iterator[tuple[str, str, Image.Image]]:
    for name in names:
        for change, apply in CHANGES.items():
            yield name, change, apply(photo(name))


def labels(measure: Measurer) -> Iterator[Figure]:
    first, any_of_five = [], []
    for name, change, image in variants(list(LABELS)):
        found = [label.label for label in measure.answer(VisionTask.CLASSIFY, image).labels or ()]
        right = bool(found) and found[0] in LABELS[name]
        first.append(measure.note(right, f"classify: {name}, {change}: {found[:3]}"))
        any_of_five.append(bool(LABELS[name] & set(found)))
    yield Figure(
        "classify",
        "photographs",
        len(first),
        "best label / among five",
        f"{share(first)} / {share(any_of_five)}",
    )


def objects(measure: Measurer) -> Iterator[Figure]:
    right, shared = [], []
    for name, change, image in variants(list(OBJECTS)):
        label, place = OBJECTS[name]
        found = measure.answer(VisionTask.DETECT, image).objects or ()
        wanted = scaled(mirrored(place) if change == "mirrored" else place, image)
        boxes = [
            (o.box.x, o.box.y, o.box.x + o.box.width, o.box.y + o.box.height)
            for o in found
            if o.label == label
        ]
        best = max((overlap(wanted, box) for box in boxes), default=0.0)
        right.append(measure.note(best >= 0.5, f"detect: {name}, {change}: {[o.label for o in found]}"))
        shared.append(best)
    yield Figure(
        "detect",
        "people, a cat",
        len(right),
        "found / mean overlap",
        f"{share(right)} / {np.mean(shared):.2f}",
    )


def faces(measure: Measurer) -> Iterator[Figure]:
    right = []
    for name, change, image in variants(list(FACES)):
        place = FACES[name]
        wanted = scaled(mirrored(place) if change == "mirrored" else place, image)
        found = measure.answer(VisionTask.FACES, image).faces or ()
        boxes = [(f.box.x, f.box.y, f.box.x + f.box.width, f.box.y + f.box.height) for f in found]
        one = len(boxes) == 1 and overlap(wanted, boxes[0]) >= 0.5
        right.append(measure.note(one, f"faces: {name}, {change}: {boxes}"))
    yield Figure("faces", "photographs with one face", len(right), "found, and nothing else", share(right))
    amounts = [len(measure.answer(VisionTask.FACES, piece).faces or ()) for piece in face_pieces()]
    true, false = [amount > 0 for amount in amounts[:100]], [amount > 0 for amount in amounts[100:]]
    yield Figure("faces", "faces of 25 x 25 pixels, enlarged", 100, "found", share(true))
    yield Figure("faces", "pieces of pictures without a face", 100, "wrongly found", share(false))


def face_pieces() -> Iterator[Image.Image]:
    """100 faces and 100 others, each on a grey sheet."""
    for piece in skimage.data.lfw_subset():  # type: ignore[no-untyped-call]
        small = Image.fromarray((piece * 255).astype(np.uint8)).resize((100, 100), Image.Resampling.BICUBIC)
        sheet = Image.new("RGB", (256, 256), (int(np.median(np.asarray(small))),) * 3)
        sheet.paste(small.convert("RGB"), (78, 78))
        yield sheet


def safety(measure: Measurer) -> Iterator[Figure]:
    names = ("astronaut", "camera", "chelsea", "coffee", "rocket")
    scores = [measure.answer(VisionTask.SAFETY, image).safety for _, _, image in variants(names)]
    highest = max(found.unsafe_score for found in scores if found)
    yield Figure(
        "safety", "harmless photographs", len(scores), "highest score (0.5 is unsafe)", f"{highest:.2f}"
    )


def vectors(measure: Measurer) -> Iterator[Figure]:
    names = ("astronaut", "camera", "chelsea", "coffee", "rocket", "page", "coins", "brick", "text")
    known = np.asarray([measure.answer(VisionTask.EMBED, photo(name)).embedding for name in names])
    right = []
    for name, change, image in variants(names):
        near = names[int(np.argmax(known @ np.asarray(measure.answer(VisionTask.EMBED, image).embedding)))]
        right.append(measure.note(near == name, f"embed: {name}, {change}: nearest is {near}"))
    yield Figure("embed", "changed photographs", len(right), "nearest to its original", share(right))


def text(measure: Measurer) -> Iterator[Figure]:
    for language, lines in (("English", ENGLISH), ("Japanese", JAPANESE)):
        for size in (12, 16, 24, 48):
            pages = [page(lines, size=size, margin=30, serif=serif) for serif in (False, True)]
            yield reading(measure, f"{language}, letters of {size} pixels", pages, lines)
        yield reading(measure, f"{language}, poor pages", poor(lines), lines)
        yield reading(measure, f"{language}, turned by 5, 90, 180, 270 degrees", turned(lines), lines)
        exif = [with_orientation(page(lines), orientation) for orientation in range(1, 9)]
        yield reading(measure, f"{language}, all eight EXIF orientations", exif, lines)
    yield reading(measure, "Japanese written downwards", [vertical_page(DOWNWARDS)], DOWNWARDS)


def poor(lines: Sequence[str]) -> list[Image.Image]:
    clean = page(lines)
    noise = np.random.default_rng(1).normal(0, 25, (clean.height, clean.width, 3))
    noisy = Image.fromarray((np.asarray(clean) + noise).clip(0, 255).astype(np.uint8))
    return [
        clean.filter(ImageFilter.GaussianBlur(1.5)),
        noisy,
        page(lines, ink="#999999", paper="#cccccc"),
        page(lines, ink="#eeeeee", paper="#204060"),
    ]


def turned(lines: Sequence[str]) -> list[Image.Image]:
    smooth = Image.Resampling.BICUBIC
    return [
        page(lines).rotate(angle, expand=True, fillcolor="white", resample=smooth)
        for angle in (5, 90, 180, 270)
    ]


def reading(
    measure: Measurer, subject: str, pages: Sequence[Image.Image | bytes], lines: Sequence[str]
) -> Figure:
    wanted, wrong = plain("".join(lines)), 0
    for sheet in pages:
        found = measure.answer(VisionTask.OCR, sheet).text
        said = plain(found.content if found else "")
        wrong += distance(wanted, said)
        measure.note(wanted == said, f"ocr: {subject}: {said}")
    return Figure("ocr", subject, len(pages), "characters wrong", f"{wrong / len(pages) / len(wanted):.2%}")


def plain(content: str) -> str:
    """Without spaces; full and half width are the same (NFKC)."""
    return "".join(unicodedata.normalize("NFKC", content).split())


def distance(one: str, other: str) -> int:
    """Levenshtein's: characters to insert, delete or replace."""
    row = list(range(len(other) + 1))
    for position, character in enumerate(one, 1):
        before, row[0] = row[0], position
        for column, its in enumerate(other, 1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (character != its)),
            )
    return row[-1]


Place4 = tuple[float, float, float, float]


def mirrored(place: Place4) -> Place4:
    left, top, right, bottom = place
    return 1 - right, top, 1 - left, bottom


def scaled(place: Place4, image: Image.Image) -> Place4:
    left, top, right, bottom = place
    return left * image.width, top * image.height, right * image.width, bottom * image.height


def overlap(one: Place4, other: Place4) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (sum(areas) - shared)


def figures(measure: Measurer) -> Iterator[Figure]:
    for task in (labels, objects, faces, safety, vectors, text):
        yield from task(measure)


def measurer() -> Measurer:
    config = Config(models=ModelsConfig(directory=models_directory()))
    runtime = Runtime.create("vision", config)
    shelf = Shelf.create(
        config, Place(ModelStore(config.models_dir()), Reporter(runtime.health, runtime.metrics))
    )
    return Measurer(Analyst(shelf, PictureDecoder(50), config.vision.unsafe_from, runtime.metrics))


def main() -> None:
    configure_logs("vision", "error")
    measure = measurer()
    print("| task | pictures | number | measure | result |\n| --- | --- | ---: | --- | ---: |")
    for figure in figures(measure):
        print(figure.row(), flush=True)
    if "--misses" in sys.argv:
        print("\n".join(("", *measure.misses)))


if __name__ == "__main__":
    main()
