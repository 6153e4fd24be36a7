"""What a line says: PP-OCRv6's recognition network, with connectionist temporal classification (CTC)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ai_services.vision.engines.sessions import Session
from ai_services.vision.imaging.picture import Floats, Pixels
from ai_services.vision.imaging.shaping import resize

HEIGHT: Final = 48
_LEAST_WIDTH: Final = 320
_MOST_WIDTH: Final = 3200
_WIDTH_OF_BATCH: Final = 1920
"""The network answers 18,710 numbers for every 8 pixels: 18 MB for this width."""


_STEPS_OF_A_GAP: Final = 8
"""A step is 8 pixels; two full-width characters side by side are 5 to 6 steps apart."""


@dataclass(frozen=True)
class Reading:
    """A text and the mean probability of its characters; empty with 0 where nothing is legible."""

    text: str
    score: float


def alphabet_of(session: Session) -> tuple[str, ...]:
    """Characters by class; the file's metadata has them. Class 0 is CTC's blank, the last one the space."""
    return ("", *session.metadata["character"].splitlines(), " ")


def read_strips(session: Session, alphabet: Sequence[str], strips: Sequence[Pixels]) -> list[Reading]:
    """One reading for each strip of height 48, in the same order."""
    readings: list[Reading] = [Reading("", 0.0)] * len(strips)
    for batch in batches([strip.shape[1] for strip in strips]):
        logits = session.run(prepare([strips[index] for index in batch]))[0]
        for index, row in zip(batch, logits, strict=True):
            readings[index] = decode(row, alphabet)
    return readings


def batches(widths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of strips that are read together: of similar width, and not too many pixels at once."""
    batch: list[int] = []
    for index in sorted(range(len(widths)), key=lambda index: widths[index]):
        if batch and _padded(widths[index]) * (len(batch) + 1) > _WIDTH_OF_BATCH:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def prepare(strips: Sequence[Pixels]) -> Floats:
    """(n, 3, 48, width) BGR in -1..1; shorter strips are padded with 0, longer ones than 3200 squeezed."""
    width = _padded(max(strip.shape[1] for strip in strips))
    values = np.zeros((len(strips), 3, HEIGHT, width), np.float32)
    for row, strip in zip(values, strips, strict=True):
        if strip.shape[1] > width:
            strip = resize(strip, width, HEIGHT)  # noqa: PLW2901 - the same strip, as the network takes it
        row[:, :, : strip.shape[1]] = strip[:, :, ::-1].transpose(2, 0, 1) / np.float32(127.5) - 1
    return values


def decode(probabilities: Floats, alphabet: Sequence[str]) -> Reading:
    """Probabilities (steps, classes) to a text: the best class of each step, repeats and blanks left out.

    The network often leaves out the space in a wide gap (between the columns of a table): it is put there.
    """
    best = probabilities.argmax(axis=1)
    certain = probabilities[np.arange(best.size), best]
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    places = np.flatnonzero(kept)
    wide = np.diff(places, prepend=places[:1]) > _STEPS_OF_A_GAP
    characters = [alphabet[index] for index in best[kept]]
    text = "".join(f" {it}" if gap else it for it, gap in zip(characters, wide, strict=True))
    return Reading(" ".join(text.split()), float(certain[kept].mean()) if text.strip() else 0.0)


def _padded(width: int) -> int:
    return min(max(width, _LEAST_WIDTH), _MOST_WIDTH)
