"""What POST /ai/nlp/process and POST /v1/embeddings take.

One class a task: a field that belongs to another task is refused, and the API description says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from ai_semble.schemas.mistakes import CountedMistakes, FewMembers

MAX_TEXTS = 1_000
MAX_CHARACTERS = 100_000
MAX_TOTAL_CHARACTERS = 1_000_000


def _wrong(field: str, message: str) -> PydanticCustomError:
    """An error of the whole request that is one field's: the service names the field in its answer."""
    return PydanticCustomError("field_wrong", "{message}", {"field": field, "message": message})


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must hold more than white space")
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS), AfterValidator(_not_blank)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_not_blank)]


class NlpTask(StrEnum):
    """What is asked of a text."""

    SENTIMENT = "sentiment"
    ENTITIES = "entities"
    LANGUAGE = "language"
    KEYWORDS = "keywords"
    SUMMARIZE = "summarize"
    TOKENIZE = "tokenize"
    EMBED = "embed"
    SIMILARITY = "similarity"
    CLASSIFY = "classify"
    PII = "pii"


class EntityType(StrEnum):
    """Kinds of entity, the same for every language."""

    PERSON = "PERSON"
    ORG = "ORG"
    GROUP = "GROUP"
    LOCATION = "LOCATION"
    FACILITY = "FACILITY"
    PRODUCT = "PRODUCT"
    WORK = "WORK"
    EVENT = "EVENT"
    LAW = "LAW"
    LANGUAGE = "LANGUAGE"
    TITLE = "TITLE"
    DATE = "DATE"
    TIME = "TIME"
    MONEY = "MONEY"
    PERCENT = "PERCENT"
    QUANTITY = "QUANTITY"
    NUMBER = "NUMBER"
    CONTACT = "CONTACT"
    OTHER = "OTHER"


class PiiType(StrEnum):
    """Kinds of personal or secret data."""

    EMAIL = "EMAIL"
    PHONE = "PHONE"
    POSTAL_CODE = "POSTAL_CODE"
    ADDRESS = "ADDRESS"
    MY_NUMBER = "MY_NUMBER"
    CORPORATE_NUMBER = "CORPORATE_NUMBER"
    US_SSN = "US_SSN"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN = "IBAN"
    IP_ADDRESS = "IP_ADDRESS"
    SECRET = "SECRET"  # noqa: S105 - the name of a kind, not a secret
    PERSON = "PERSON"
    LOCATION = "LOCATION"


class MaskStyle(StrEnum):
    """How found data is replaced."""

    LABEL = "label"
    NUMBERED = "numbered"
    STARS = "stars"
    LAST4 = "last4"


class _Request(CountedMistakes):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Text | None = Field(
        None,
        description="One text. Give either `text` or `texts`. It must hold more than white space.",
        examples=["This is a great product!"],
    )
    texts: list[Text] | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXTS,
        description=f"Up to {MAX_TEXTS:,} texts ({MAX_TOTAL_CHARACTERS:,} characters), answered in order.",
        examples=[["とても良い商品です。", "It broke after a day."]],
    )
    language: str | None = Field(
        None,
        pattern=r"^[a-z]{2,3}$",
        description="ISO 639 code of the texts' language, such as `en` or `ja`. Detected when not given.",
        examples=["en"],
    )

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise _wrong("text", "give exactly one of `text` and `texts`")
        if sum(map(len, self.texts or ())) > MAX_TOTAL_CHARACTERS:
            raise _wrong("texts", f"has more than {MAX_TOTAL_CHARACTERS:,} characters in all")
        return self

    def all_texts(self) -> list[str]:
        """The texts, whichever way they were given."""
        return [self.text] if self.text is not None else list(self.texts or ())


class SentimentRequest(_Request):
    """Is the text positive, neutral or negative?"""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "This is a great product!", "task": "sentiment"}]}
    )
    task: Literal["sentiment"]


class EntitiesRequest(_Request):
    """People, organisations, places, dates, amounts... with their place in the text. English and Japanese."""

    task: Literal["entities"]
    types: list[EntityType] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Only these types; all when not given.",
        examples=[["PERSON", "ORG"]],
    )


class LanguageRequest(_Request):
    """Which language is it? 176 languages."""

    task: Literal["language"]
    top: int = Field(3, ge=1, le=10, description="Most candidates answered, best first.")


class KeywordsRequest(_Request):
    """What is the text about, in its own words? English and Japanese."""

    task: Literal["keywords"]
    top: int = Field(10, ge=1, le=100, description="Most keywords answered, best first.")
    diversity: float = Field(
        0.3, ge=0, le=1, description="0: the most fitting, however alike. 1: as different as possible."
    )


class SummarizeRequest(_Request):
    """The most telling sentences, in the order of the text (extractive)."""

    task: Literal["summarize"]
    sentences: int = Field(3, ge=1, le=50, description="Most sentences answered.")


class TokenizeRequest(_Request):
    """Words with lemma, part of speech and, in Japanese, reading. English and Japanese."""

    task: Literal["tokenize"]
    mode: Literal["A", "B", "C"] = Field(
        "C",
        description="Japanese only: length of units, from A (short) to C (named entities), as in Sudachi.",
    )


class EmbedRequest(_Request):
    """A vector for each text: 512 numbers, unit length. Texts of like meaning are near, across languages."""

    task: Literal["embed"]


class SimilarityRequest(_Request):
    """How alike are texts in meaning? `text` or `texts` with `other`, or all `texts` with each other."""

    task: Literal["similarity"]
    other: Text | None = Field(None, description="What to compare with.", examples=["すばらしい製品です"])

    @model_validator(mode="after")
    def _has_pair(self) -> Self:
        if self.other is None and (self.texts is None or len(self.texts) < 2):
            raise _wrong("other", "give `other`, or at least two `texts` to compare with each other")
        return self


class LabelWithExamples(FewMembers):
    """A label that is explained by examples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: LabelName = Field(
        description="The label in the answer. Its words count, too: let them say what is meant.",
        examples=["billing"],
    )
    examples: list[Text] = Field(
        min_length=1,
        max_length=50,
        description="Texts that belong to it, in any language. A few raise the accuracy much.",
        examples=[["I was charged twice.", "請求書の金額が違います。"]],
    )


class ClassifyRequest(_Request):
    """Which of your labels fits? Without training; labels and texts may be in different languages."""

    task: Literal["classify"]
    labels: list[LabelName | LabelWithExamples] = Field(
        min_length=1,
        max_length=100,
        description="Names that say what is meant, or names with examples.",
        examples=[["sports", "politics", "technology"]],
    )
    multi_label: bool = Field(
        False, description="false: the scores add up to 1. true: each label is judged alone, from 0 to 1."
    )

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        names = self.names()
        if len(set(names)) < len(names):
            raise _wrong("labels", "has a name twice")
        if len(names) < 2 and not self.multi_label:
            raise _wrong("labels", "give at least two, or set `multi_label`")
        return self

    def names(self) -> list[str]:
        return [label if isinstance(label, str) else label.name for label in self.labels]


class PiiRequest(_Request):
    """Finds and masks personal data. Patterns work in every language, names in English and Japanese."""

    task: Literal["pii"]
    types: list[PiiType] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Only these types; all when not given.",
        examples=[["EMAIL", "PHONE"]],
    )
    mask: MaskStyle = Field(
        MaskStyle.LABEL,
        description="`label`: [EMAIL]. `numbered`: [EMAIL_1], the same number for the same value. "
        "`stars`: ******. `last4`: ******1234 (for what has digits; stars for the rest).",
    )
    min_score: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Least certainty. A number with a valid check digit and a word that names it is near 1, "
        "a name found by the model is 0.6.",
    )


NlpRequest = Annotated[
    SentimentRequest
    | EntitiesRequest
    | LanguageRequest
    | KeywordsRequest
    | SummarizeRequest
    | TokenizeRequest
    | EmbedRequest
    | SimilarityRequest
    | ClassifyRequest
    | PiiRequest,
    Field(discriminator="task"),
]


class EmbeddingsRequest(CountedMistakes):
    """OpenAI's request for embeddings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)] = Field(
        description=f"One text, or up to {MAX_TEXTS:,}. Arrays of token numbers are not accepted.",
        examples=["The cat sat on the mat."],
    )
    model: str = Field(description="Name of the model.", examples=["use-multilingual-v3"])
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="`base64`: the little-endian float32 bytes, smaller and exact."
    )
    dimensions: Literal[512] | None = Field(
        None, description="The model has 512; no other length is possible."
    )
    user: str | None = Field(None, max_length=256, description="Accepted and not used.")

    @model_validator(mode="after")
    def _not_too_long(self) -> Self:
        if sum(map(len, self.all_texts())) > MAX_TOTAL_CHARACTERS:
            raise _wrong("input", f"has more than {MAX_TOTAL_CHARACTERS:,} characters in all")
        return self

    def all_texts(self) -> list[str]:
        """The texts, whichever way they were given."""
        return [self.input] if isinstance(self.input, str) else list(self.input)
