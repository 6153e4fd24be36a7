"""Languages, above all of short texts."""

from __future__ import annotations

import pytest

from ai_services.nlp.engines.shelf import Engines


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This is a great product!", "en"),
        ("ok", "en"),
        ("HELLO WORLD", "en"),
        ("FREE SHIPPING TODAY", "en"),
        ("今日は良い天気ですね。", "ja"),
        ("カタカナ", "ja"),
        ("ﾃｽﾄ", "ja"),
        ("駅前", "ja"),
        ("東京都", "ja"),
        ("I love 寿司 です", "ja"),
        ("PDFファイルを添付します。", "ja"),
        ("連絡先はtaro@example.co.jpです", "ja"),
        ("今天天气很好", "zh"),
        ("繁體中文", "zh"),
        ("안녕하세요", "ko"),
        ("Bonjour le monde", "fr"),
        ("Где находится библиотека?", "ru"),
        ("hello\x00\nworld, how are you?", "en"),
        ("👍🎉", "und"),
        ("123 456-789", "und"),
        ("https://example.com/path", "und"),
    ],
)
def test_the_language_is_found(engines: Engines, text: str, language: str) -> None:
    assert engines.identifier.get().identify(text) == language


def test_scores_are_shares_and_best_comes_first(engines: Engines) -> None:
    for text in ("ありがとう", "東京都", "good morning", "寿司"):
        scores = [score for _, score in engines.identifier.get().candidates(text, 5)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_a_long_text_takes_no_longer(engines: Engines) -> None:
    assert engines.identifier.get().identify("これは長い文章です。" * 10_000) == "ja"
