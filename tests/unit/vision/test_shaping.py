"""Squares, boxes and pieces: the geometry around the networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_services.vision.engines.ocr.quads import clockwise, cut_out, direction_of, size_of
from ai_services.vision.engines.ocr.reading import batches
from ai_services.vision.engines.ocr.tiling import Plan
from ai_services.vision.imaging.picture import Need
from ai_services.vision.imaging.shaping import Letterbox, best_of_overlapping, overlaps

SIDES = st.integers(8, 9000)


def quad(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.asarray([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


@pytest.mark.parametrize("size", [(100, 50), (50, 100), (300, 300), (7, 900)])
def test_what_is_found_in_a_letterbox_is_found_at_its_place_in_the_picture(size: tuple[int, int]) -> None:
    width, height = size
    box = Letterbox.of(np.full((height, width, 3), 255, np.uint8), 64, fill=0)
    rows, columns = np.nonzero(box.square[:, :, 0])
    corners = np.asarray([(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)], np.float32)
    np.testing.assert_allclose(box.to_picture(corners), [(0, 0), size], atol=max(size) / 64)


def test_the_overlap_of_boxes_is_what_they_share_by_what_they_cover() -> None:
    box = np.asarray((0, 0, 10, 10), np.float32)
    others = np.asarray([(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30)], np.float32)
    np.testing.assert_allclose(overlaps(box, others), [1, 1 / 3, 0])


def test_of_overlapping_boxes_the_best_stays() -> None:
    boxes = np.asarray([(0, 0, 10, 10), (1, 1, 11, 11), (50, 50, 60, 60)], np.float32)
    assert best_of_overlapping(boxes, np.asarray((0.5, 0.9, 0.7), np.float32), 0.5) == [1, 2]
    assert best_of_overlapping(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5) == []


@given(SIDES, SIDES)
def test_the_tiles_of_a_page_cover_it_and_stay_small(width: int, height: int) -> None:
    plan = Plan.of(width, height)
    covered = np.zeros((plan.height // 32, plan.width // 32), bool)
    for tile in plan.tiles:
        assert tile.left >= 0 <= tile.top
        assert tile.left + tile.width <= plan.width
        assert tile.top + tile.height <= plan.height
        assert tile.width * tile.height <= 800_000
        rows = slice(tile.top // 32, -(-(tile.top + tile.height) // 32))
        covered[rows, tile.left // 32 : -(-(tile.left + tile.width) // 32)] = True
    assert covered.all()


@pytest.mark.parametrize("size", [(960, 4000), (4000, 960), (640, 640)])
def test_the_maps_of_the_tiles_make_one_map_of_the_page(size: tuple[int, int]) -> None:
    """Each piece says which part of the page it was; the edges inside the page are left to the neighbour."""
    plan = Plan.of(*size)
    page = np.random.default_rng(0).integers(0, 255, (plan.height, plan.width, 3), np.uint8)

    def look(tile: np.ndarray) -> np.ndarray:
        seen = tile[:, :, 0].astype(np.float32)
        seen[:, 0] = seen[0, :] = -1  # what a network sees at the edge of a piece is not to be trusted
        return seen

    whole = plan.map(page, look)
    np.testing.assert_array_equal(whole[1:, 1:], page[1:, 1:, 0])


def test_small_pictures_are_enlarged_and_large_ones_reduced() -> None:
    assert (Plan.of(100, 40).width, len(Plan.of(860, 333).tiles)) == (288, 1)
    assert Plan.of(640, 800).width == 640
    assert Plan.of(2480, 3508).width == 960


@given(st.lists(st.integers(10, 4000), max_size=60))
def test_every_strip_is_in_one_batch(widths: list[int]) -> None:
    made = list(batches(widths))
    assert sorted(index for batch in made for index in batch) == list(range(len(widths)))
    for batch in made:
        assert len(batch) == 1 or len(batch) * max(widths[index] for index in batch) <= 1920


def test_corners_are_sorted_clockwise_from_the_upper_left() -> None:
    mixed = np.asarray([(10, 10), (0, 0), (0, 10), (10, 0)], np.float32)
    np.testing.assert_array_equal(clockwise(mixed), quad(0, 0, 10, 10))


@pytest.mark.parametrize(
    ("roll", "way"),
    [(0, (1, 0)), (1, (0, -1)), (2, (-1, 0)), (3, (0, 1))],
    ids=["right", "up", "left", "down"],
)
def test_the_first_corner_tells_where_a_line_runs(roll: int, way: tuple[int, int]) -> None:
    shape = quad(0, 0, 50, 10) if roll % 2 == 0 else quad(0, 0, 10, 50)
    assert direction_of(np.roll(shape, roll, axis=0)) == way


def test_a_tilted_region_is_cut_out_straight() -> None:
    page = np.zeros((200, 200, 3), np.uint8)
    page[:, 100:] = 255
    tilted = np.asarray([(50, 60), (150, 110), (140, 130), (40, 80)], np.float32)
    strip = cut_out(page, tilted, 48)
    assert strip.shape[0] == 48
    assert strip.shape[1] == pytest.approx(48 * size_of(tilted)[0] / size_of(tilted)[1], abs=1)
    assert strip[24, 5].max() < 40
    assert strip[24, -5].min() > 215


def test_a_region_that_reaches_over_the_edge_can_be_cut_out() -> None:
    assert cut_out(np.zeros((20, 20, 3), np.uint8), quad(-5, -5, 30, 12), 48).shape[0] == 48


@given(SIDES, SIDES, st.sampled_from([Need(), Need(short_side=256), Need(long_side=832)]))
def test_a_picture_is_shrunk_to_what_is_needed_and_no_further(width: int, height: int, need: Need) -> None:
    factor = need.shrink_factor(width, height, 12_500_000)
    assert factor >= 1
    assert (width / factor) * (height / factor) <= 12_500_000
    forced = width * height > 12_500_000
    if need.short_side and not forced and factor > 1:
        assert min(width, height) / factor >= need.short_side
