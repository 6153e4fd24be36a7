"""What POST /ai/nlp/process and POST /v1/embeddings answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ai_semble.schemas.nlp import EntityType, NlpTask, PiiType


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Span(_Answer):
    """A piece of the text as it was sent."""

    text: str = Field(description="From `start` to `end`, not changed in any way.", examples=["Tokyo"])
    start: int = Field(description="First character, counted in Unicode code points from 0.", examples=[8])
    end: int = Field(description="One past the last character.", examples=[13])


class ClassScores(_Answer):
    """The three scores add up to 1."""

    positive: float = Field(ge=0, le=1, description="Probability of a positive text.", examples=[0.9])
    neutral: float = Field(ge=0, le=1, description="Probability that nothing is judged.", examples=[0.06])
    negative: float = Field(ge=0, le=1, description="Probability of a negative text.", examples=[0.04])


class Sentiment(_Answer):
    """Result of `sentiment`."""

    label: Literal["positive", "neutral", "negative"] = Field(description="The class with the highest score.")
    score: float = Field(description="From -1 (negative) to 1 (positive).", examples=[0.86])
    scores: ClassScores
    language: str = Field(
        description="ISO 639 code, as given or detected; a text without letters counts as `en`.",
        examples=["en"],
    )


class Entity(Span):
    """One entity."""

    type: EntityType
    label: str = Field(
        description="The model's own, finer label: OntoNotes in English, Sekine's extended hierarchy in "
        "Japanese; `pattern` for what a pattern found.",
        examples=["GPE"],
    )


class Entities(_Answer):
    """Result of `entities`."""

    entities: list[Entity]
    language: str = Field(
        description="`en` or `ja`, as given or detected; a text without letters counts as `en`.",
        examples=["en"],
    )


class LanguageScore(_Answer):
    """A language that it may be."""

    language: str = Field(description="ISO 639 code; `und` when there are no letters.", examples=["ja"])
    score: float = Field(
        ge=0,
        le=1,
        description="Certainty; 0 for `und`. Those of several candidates need not add up to 1.",
        examples=[0.93],
    )


class Language(LanguageScore):
    """Result of `language`."""

    candidates: list[LanguageScore] = Field(description="Best first.")


class Keyword(_Answer):
    """One keyword."""

    text: str = Field(description="As it is written where it occurs first.", examples=["machine learning"])
    score: float = Field(
        ge=0,
        le=1,
        description="How well it stands for the text: by its meaning (60 %), frequency, place and length.",
        examples=[0.93],
    )
    count: int = Field(description="How often it occurs, within longer keywords too.", examples=[3])
    start: int = Field(
        description="Where it occurs first, counted in Unicode code points from 0.", examples=[17]
    )
    end: int = Field(description="One past its last character there.", examples=[33])


class Keywords(_Answer):
    """Result of `keywords`."""

    keywords: list[Keyword]
    language: str = Field(
        description="`en` or `ja`, as given or detected; a text without letters counts as `en`.",
        examples=["en"],
    )


class RankedSentence(Span):
    """A sentence of the summary."""

    score: float = Field(description="How central it is; the most central sentence has 1.")


class Summary(_Answer):
    """Result of `summarize`."""

    summary: str = Field(
        description="The sentences, joined by spaces; in Japanese, Chinese and Thai by nothing."
    )
    sentences: list[RankedSentence] = Field(description="In the order of the text.")
    sentences_in_text: int = Field(description="How many the whole text has.", examples=[42])
    language: str = Field(
        description="ISO 639 code, as given or detected; `und` for a text without letters.", examples=["en"]
    )


class Token(Span):
    """A word or a sign."""

    lemma: str = Field(description="Dictionary form.", examples=["go"])
    pos: str = Field(description="Universal part of speech.", examples=["VERB"])
    tag: str = Field(description="The tagger's own part of speech.", examples=["VBD"])
    reading: str | None = Field(None, description="Japanese: in katakana.", examples=["トウキョウ"])
    normalized: str | None = Field(None, description="Japanese: the usual spelling.", examples=["附属"])


class Tokens(_Answer):
    """Result of `tokenize`."""

    tokens: list[Token]
    language: str = Field(
        description="`en` or `ja`, as given or detected; a text without letters counts as `en`.",
        examples=["en"],
    )


class Embedding(_Answer):
    """Result of `embed`."""

    embedding: list[float] = Field(min_length=512, max_length=512, description="Of unit length.")


class PairSimilarity(_Answer):
    """Result of `similarity` with `other`."""

    score: float = Field(ge=-1, le=1, description="Cosine: 1 same meaning, about 0 unrelated.")


class SimilarityMatrix(_Answer):
    """Result of `similarity` among `texts`."""

    matrix: list[list[float]] = Field(description="Row i, column k: cosine of texts i and k.")


_FIT = "All labels' scores add up to 1; with `multi_label` each stands alone, and from 0.5 on a label fits."


class LabelScore(_Answer):
    """A label and how well it fits."""

    label: str = Field(description="As the request names it.", examples=["sports"])
    score: float = Field(ge=0, le=1, description=_FIT, examples=[0.93])


class Classification(_Answer):
    """Result of `classify`."""

    label: str = Field(description="The best label.")
    score: float = Field(ge=0, le=1, description=_FIT, examples=[0.93])
    labels: list[LabelScore] = Field(description="All labels, best first.")


class PiiFinding(Span):
    """One piece of personal data."""

    type: PiiType
    score: float = Field(
        ge=0,
        le=1,
        description="Certainty: 0.6 for a name found by the model; 0.5 to 0.99 for a pattern, more if a word "
        "beside it says what it is.",
        examples=[0.99],
    )
    masked: str = Field(description="What stands for it in the masked text.", examples=["[EMAIL]"])


class PiiReport(_Answer):
    """Result of `pii`."""

    text: str = Field(description="The text with everything found masked.")
    findings: list[PiiFinding]
    names_searched: bool = Field(
        description="false when the language has no model for names, or `types` asks for none: then only "
        "patterns were searched."
    )
    language: str = Field(
        description="ISO 639 code, as given or detected; `und` for a text without letters.", examples=["en"]
    )


Result = (
    Sentiment
    | Entities
    | Language
    | Keywords
    | Summary
    | Tokens
    | Embedding
    | PairSimilarity
    | SimilarityMatrix
    | Classification
    | PiiReport
)


class Timings(_Answer):
    """Where the time went, in milliseconds."""

    queue_ms: float = Field(description="Waiting for a turn.")
    process_ms: float = Field(description="Computing, loading a model at its first use included.")


class NlpAnswer(_Answer):
    """`result` for `text` and for a similarity matrix; `results` in order for `texts`."""

    task: NlpTask
    models: list[str] = Field(description="Models that were used.", examples=[["use-multilingual-v3"]])
    result: Result | None = Field(
        None, description="For `text`, and for a similarity matrix; otherwise it is left out."
    )
    results: list[Result] | None = Field(
        None, description="For `texts`: one for each, in their order; otherwise it is left out."
    )
    timings: Timings


class EmbeddingItem(_Answer):
    """The vector of one input."""

    object: Literal["embedding"] = "embedding"
    index: int = Field(description="Place of its text in `input`, from 0.", examples=[0])
    embedding: list[float] | str = Field(description="Numbers, or base64 of little-endian float32.")


class EmbeddingUsage(_Answer):
    """Tokens of all inputs together."""

    prompt_tokens: int = Field(
        description="Counted by the model's own tokenizer, without the marks of begin and end.", examples=[8]
    )
    total_tokens: int = Field(description="The same, since nothing is written.", examples=[8])


class EmbeddingsAnswer(_Answer):
    """OpenAI's answer."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str = Field(description="Model that made the vectors.", examples=["use-multilingual-v3"])
    usage: EmbeddingUsage
