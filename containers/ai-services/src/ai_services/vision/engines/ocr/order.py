"""In which order lines are read: rows, columns of a newspaper, and lines that run another way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ai_services.vision.imaging.picture import Floats

_LONG_LINE = 8
_LEAST_LINES = 3


def rows_of(boxes: Sequence[Floats], are_crossing: Sequence[bool]) -> list[list[int]]:
    """Indices of the boxes (left, top, right, bottom) in reading order; what stands on one row is together.

    `are_crossing` are lines that run another way than most (written downwards, turned): they are read from
    right to left, all before the others or all after them, by what stands highest.
    """
    along = [index for index, crosses in enumerate(are_crossing) if not crosses]
    rows = [row for column in _columns(along, boxes) for row in _rows(column, boxes)]
    crossing = [index for index, crosses in enumerate(are_crossing) if crosses]
    apart = [[index] for index in sorted(crossing, key=lambda i: -boxes[i][2])]
    if not apart or not rows:
        return rows or apart
    apart_first = min(boxes[i][1] for i in crossing) < min(boxes[i][1] for i in along)
    return apart + rows if apart_first else rows + apart


def _columns(indices: list[int], boxes: Sequence[Floats]) -> list[list[int]]:
    """The lines of each column, left to right. The cells of a table are short, and are no columns."""
    for gap in _gaps(indices, boxes):
        left = [index for index in indices if boxes[index][2] <= gap]
        right = [index for index in indices if boxes[index][0] >= gap]
        if _is_column(left, boxes) and _is_column(right, boxes):
            return _columns(left, boxes) + _columns(right, boxes)
    return [indices]


def _gaps(indices: list[int], boxes: Sequence[Floats]) -> list[float]:
    """Places that no line crosses and that are as wide as a line is high."""
    reach = 0.0
    gaps = []
    for index in sorted(indices, key=lambda i: boxes[i][0]):
        left, top, right, bottom = boxes[index]
        if reach and left - reach > bottom - top:
            gaps.append(float(left + reach) / 2)
        reach = max(reach, right)
    return gaps


def _is_column(indices: list[int], boxes: Sequence[Floats]) -> bool:
    if len(indices) < _LEAST_LINES:
        return False
    shapes = [(boxes[i][2] - boxes[i][0]) / max(boxes[i][3] - boxes[i][1], 1) for i in indices]
    return float(np.median(shapes)) >= _LONG_LINE


def _rows(indices: list[int], boxes: Sequence[Floats]) -> list[list[int]]:
    """Lines whose middle is on the same height, left to right; rows from top to bottom."""
    rows: list[list[int]] = []
    for index in sorted(indices, key=lambda i: boxes[i][1] + boxes[i][3]):
        middle = (boxes[index][1] + boxes[index][3]) / 2
        last = rows[-1] if rows else []
        if last and boxes[last[0]][1] < middle < boxes[last[0]][3]:
            last.append(index)
        else:
            rows.append([index])
    return [sorted(row, key=lambda i: boxes[i][0]) for row in rows]
