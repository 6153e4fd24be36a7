"""Labels, objects, faces and safety of pictures whose content is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ai_services.vision.engines import classifier, detector, faces
from ai_services.vision.shelf import Shelf
from tests.support.pictures import photo


def pixels_of(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("chelsea", {"tiger cat", "Egyptian cat", "tabby"}),
        ("coffee", {"espresso"}),
        ("rocket", {"missile", "projectile", "space shuttle"}),
        ("camera", {"tripod", "reflex camera"}),
    ],
)
def test_the_best_label_is_right(shelf: Shelf, name: str, labels: set[str]) -> None:
    engine = shelf.classifier.get()
    found = classifier.best(engine.look(pixels_of(photo(name))).probabilities, engine.labels, 3, 0)
    assert found[0].label in labels
    assert [label.score for label in found] == sorted((label.score for label in found), reverse=True)


def test_labels_below_the_least_score_are_left_out() -> None:
    probabilities = np.asarray((0.5, 0.3, 0.2), np.float32)
    found = classifier.best(probabilities, ("a", "b", "c"), 5, 0.25)
    assert [label.label for label in found] == ["a", "b"]


def test_the_embedding_of_a_changed_picture_is_nearer_than_that_of_another(shelf: Shelf) -> None:
    engine = shelf.classifier.get()
    cat = photo("chelsea")
    vectors = [
        engine.look(pixels_of(image)).features
        for image in (cat, cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 200)), photo("coffee"))
    ]
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) for vector in vectors)
    assert vectors[0] @ vectors[1] > 0.8
    assert vectors[0] @ vectors[2] < 0.5


@pytest.mark.parametrize(
    ("name", "label", "box"),
    [("astronaut", "person", (15, 14, 364, 508)), ("chelsea", "cat", (2, 0, 440, 296))],
)
def test_objects_are_found_where_they_are(
    shelf: Shelf, name: str, label: str, box: tuple[int, int, int, int]
) -> None:
    best, *_ = shelf.objects.get().find(pixels_of(photo(name)), 0.45)
    assert best.label == label
    np.testing.assert_allclose(best.box, box, atol=12)


def test_one_thing_is_not_found_as_two_kinds(shelf: Shelf) -> None:
    labels = [found.label for found in shelf.objects.get().find(pixels_of(photo("chelsea")), 0.3)]
    assert "dog" not in labels


def test_distances_are_the_expectation_of_their_bins() -> None:
    scores = np.zeros((3549, 80), np.float32)
    distances = np.zeros((3549, 44), np.float32)
    scores[0, 16] = 0.9
    distances[0].reshape(4, 11)[:, 3] = 50  # all of the weight on bin 3: 3 strides of 8 pixels
    boxes, certain, kinds = detector.decode(scores, distances, 0.5)
    np.testing.assert_allclose(boxes, [(4 - 24, 4 - 24, 4 + 24, 4 + 24)], atol=1e-3)
    assert (certain.tolist(), kinds) == ([pytest.approx(0.9)], [16])


def test_the_face_of_the_astronaut_is_found_with_its_landmarks(shelf: Shelf) -> None:
    (face,) = shelf.faces.get().find(pixels_of(photo("astronaut")), 0.65)
    np.testing.assert_allclose(face.box, (171, 72, 275, 176), atol=8)
    right_eye, left_eye, nose, mouth, *_ = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_eye[1] < nose[1] < mouth[1]


@pytest.mark.parametrize("name", ["coffee", "rocket", "coins", "page", "brick"])
def test_no_face_is_seen_where_there_is_none(shelf: Shelf, name: str) -> None:
    assert shelf.faces.get().find(pixels_of(photo(name)), 0.65) == []


def test_small_faces_in_a_large_picture_are_found(shelf: Shelf) -> None:
    head = photo("astronaut").crop((120, 20, 330, 230)).resize((110, 110))
    crowd = Image.new("RGB", (1400, 900), (120, 130, 140))
    places = [(100, 100), (700, 120), (1250, 90), (300, 700), (900, 600)]
    for place in places:
        crowd.paste(head, place)
    found = shelf.faces.get().find(pixels_of(crowd), 0.65)
    middles = [(face.box[:2] + face.box[2:]) / 2 for face in found]
    assert len(found) == len(places)
    for left, top in places:
        assert any(np.abs(middle - (left + 54, top + 54)).max() < 20 for middle in middles)


def test_a_face_found_in_two_views_is_one_face() -> None:
    box = np.asarray((10, 10, 50, 50), np.float32)
    points = np.zeros((6, 2), np.float32)
    twice = [faces.FoundFace(0.8, box, points), faces.FoundFace(0.9, box + 2, points)]
    assert [face.score for face in faces.merge(twice)] == [0.9]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_harmless_pictures_are_safe(shelf: Shelf, name: str) -> None:
    assert shelf.safety.get().judge(pixels_of(photo(name))) < 0.1


@pytest.mark.parametrize("size", [(8, 8), (9, 3000), (3000, 9)])
def test_extreme_shapes_break_no_engine(shelf: Shelf, size: tuple[int, int]) -> None:
    pixels = pixels_of(Image.new("RGB", size, "gray"))
    assert shelf.classifier.get().look(pixels).probabilities.shape == (1000,)
    shelf.objects.get().find(pixels, 0.3)
    shelf.faces.get().find(pixels, 0.3)
    shelf.text.get().read(pixels, 0.3)
    assert 0 <= shelf.safety.get().judge(pixels) <= 1


def test_engines_tell_where_they_really_run(shelf: Shelf) -> None:
    assert shelf.classifier.get().device == "cpu"
