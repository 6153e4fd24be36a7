"""What each task answers for texts whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("This is a great product!", "positive"),
        ("It broke after two days. Terrible.", "negative"),
        ("The meeting starts at three in room 4.", "neutral"),
        ("この商品は最高です。買って良かった。", "positive"),
        ("店員の態度が悪く、二度と行きたくない。", "negative"),
        ("会議は午後三時から始まります。", "neutral"),
        ("Das Essen war ausgezeichnet!", "positive"),
        ("质量太差了，非常失望。", "negative"),
        ("👍👍", "positive"),
        ("😡", "negative"),
        ("12345", "neutral"),
    ],
)
def test_sentiment_knows_praise_from_blame_and_from_neither(process: Any, text: str, label: str) -> None:
    result = process(text=text, task="sentiment")["result"]
    assert result["label"] == label, result
    assert sum(result["scores"].values()) == pytest.approx(1, abs=0.001)


def test_sentiment_names_the_models_that_it_used(process: Any) -> None:
    english = process(text="I like it a lot, thank you.", task="sentiment")["models"]
    assert {"use-multilingual-v3", "vader"} <= set(english)
    japanese = process(text="とても気に入っています。", task="sentiment")["models"]
    assert "asari-sentiment-ja" in japanese
    assert "vader" not in japanese


def entities(process: Any, text: str, **options: Any) -> dict[str, str]:
    result = process(text=text, task="entities", **options)["result"]
    assert all(text[item["start"] : item["end"]] == item["text"] for item in result["entities"])
    return {item["text"]: item["type"] for item in result["entities"]}


def test_english_entities_have_our_types(process: Any) -> None:
    found = entities(process, "Tim Cook of Apple visited Tokyo on Monday and paid $120 million.")
    assert found == {
        "Tim Cook": "PERSON",
        "Apple": "ORG",
        "Tokyo": "LOCATION",
        "Monday": "DATE",
        "$120 million": "MONEY",
    }


def test_japanese_entities_have_our_types(process: Any) -> None:
    found = entities(
        process, "株式会社アイセンブルの田中太郎は2026年11月22日に東京都千代田区へ123万円を送った。"
    )
    assert found == {
        "株式会社アイセンブル": "ORG",
        "田中太郎": "PERSON",
        "2026年11月22日": "DATE",
        "東京都千代田区": "LOCATION",
        "123万円": "MONEY",
    }


def test_a_telephone_number_is_no_speed(process: Any) -> None:
    found = entities(process, "電話は03-1234-5678、https://example.com をご覧ください。")
    assert found["03-1234-5678"] == found["https://example.com"] == "CONTACT"


def test_only_the_wanted_types_are_answered(process: Any) -> None:
    text = "Tim Cook visited Tokyo on Monday."
    assert entities(process, text, types=["LOCATION"]) == {"Tokyo": "LOCATION"}


def test_keywords_are_what_the_text_is_about(process: Any) -> None:
    english = (
        "Solar panels turn sunlight into electricity. Modern solar panels last thirty years. "
        "The cost of solar panels fell quickly, so many families buy a home battery too."
    )
    japanese = (
        "太陽光発電は太陽の光を電気に変える。最近の太陽光発電は三十年使える。"
        "太陽光発電の価格が下がり、家庭用蓄電池を買う人も増えた。"
    )
    first, second = (
        item["keywords"] for item in process(texts=[english, japanese], task="keywords")["results"]
    )
    assert (first[0]["text"].lower(), first[0]["count"]) == ("solar panels", 3)
    assert "太陽光発電" in second[0]["text"]
    assert all(english[item["start"] : item["end"]] == item["text"] for item in first)
    assert [item["score"] for item in first] == sorted((item["score"] for item in first), reverse=True)


def test_keywords_are_at_most_as_many_as_asked(process: Any) -> None:
    result = process(text="Cats, dogs, birds and horses live on the farm.", task="keywords", top=2)["result"]
    assert len(result["keywords"]) == 2


def test_a_summary_holds_the_central_sentences_in_order(process: Any) -> None:
    text = (
        "The city council approved a new bus line. The bus line will connect the station with the hospital. "
        "My neighbour has a cat. Council members said that the bus will run every ten minutes. "
        "It rained yesterday."
    )
    result = process(text=text, task="summarize", sentences=2)["result"]
    assert len(result["sentences"]) == 2
    assert "cat" not in result["summary"]
    assert "rained" not in result["summary"]
    starts = [item["start"] for item in result["sentences"]]
    assert starts == sorted(starts)
    assert result["sentences_in_text"] == 5


def test_a_text_shorter_than_its_summary_is_its_summary(process: Any) -> None:
    result = process(text="一つだけの文です。", task="summarize", sentences=5)["result"]
    assert result["summary"] == "一つだけの文です。"


def test_tokens_tell_lemma_part_of_speech_and_reading(process: Any) -> None:
    japanese, english = process(texts=["美味しかったです", "She was running."], task="tokenize")["results"]
    assert {k: japanese["tokens"][0][k] for k in ("text", "lemma", "pos", "reading", "normalized")} == {
        "text": "美味しかっ",
        "lemma": "美味しい",
        "pos": "ADJ",
        "reading": "オイシカッ",
        "normalized": "美味しい",
    }
    assert [(t["text"], t["lemma"], t["pos"], t["tag"]) for t in english["tokens"]] == [
        ("She", "she", "PRON", "PRP"),
        ("was", "be", "AUX", "VBD"),
        ("running", "run", "VERB", "VBG"),
        (".", ".", "PUNCT", "."),
    ]


def test_the_mode_decides_how_long_japanese_words_are(process: Any) -> None:
    def words(mode: str) -> list[str]:
        result = process(text="国家公務員です", task="tokenize", mode=mode)["result"]
        return [token["text"] for token in result["tokens"]]

    assert words("A")[:3] == ["国家", "公務", "員"]
    assert words("C")[0] == "国家公務員"


def test_similarity_compares_with_one_or_with_all(process: Any) -> None:
    pair = process(text="I like dogs.", other="犬が好きです。", task="similarity")["result"]
    assert pair["score"] > 0.6
    texts = ["I like dogs.", "犬が好きです。", "The stock market fell."]
    each = process(texts=texts, other="I love dogs.", task="similarity")["results"]
    assert each[0]["score"] > each[1]["score"] > each[2]["score"]
    matrix = process(texts=texts, task="similarity")["result"]["matrix"]
    assert [row[n] for n, row in enumerate(matrix)] == [1, 1, 1]
    assert matrix[0][1] == matrix[1][0] == pair["score"]


def test_labels_fit_across_languages(process: Any) -> None:
    texts = ["決勝戦で二点を決めて優勝した。", "The parliament voted on the new law."]
    results = process(texts=texts, task="classify", labels=["sports", "politics", "food"])["results"]
    assert [result["label"] for result in results] == ["sports", "politics"]
    assert sum(label["score"] for label in results[0]["labels"]) == pytest.approx(1, abs=0.001)


def test_examples_explain_a_label(process: Any) -> None:
    labels = [
        {"name": "K1", "examples": ["I was charged twice.", "The invoice is wrong.", "請求額が違います。"]},
        {"name": "K2", "examples": ["The app crashes.", "I see an error message.", "画面が固まります。"]},
    ]
    texts = ["請求書が二重に届きました。", "It freezes when I open it."]
    results = process(texts=texts, task="classify", labels=labels)["results"]
    assert [result["label"] for result in results] == ["K1", "K2"]


def test_with_multi_label_each_label_is_judged_alone(process: Any) -> None:
    text = "The football club's shares rose after the team won the championship."
    result = process(
        text=text, task="classify", labels=["football", "stock market", "cooking"], multi_label=True
    )
    scores = {label["label"]: label["score"] for label in result["result"]["labels"]}
    assert scores["football"] > 0.5 < scores["stock market"]
    assert scores["cooking"] < 0.5


def test_a_given_language_is_not_questioned(process: Any) -> None:
    result = process(text="東京 大阪", task="tokenize", language="ja")
    assert result["models"] == ["sudachidict-core"]


def test_a_doubtful_short_text_goes_to_a_language_that_works(process: Any) -> None:
    assert process(text="good", task="tokenize")["result"]["language"] == "en"
    assert process(text="Tokyo", task="entities")["result"]["language"] == "en"
