"""Keys as values, the lock-out, and what a body may cost."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_semble.config import LlmConfig
from ai_semble.errors import AiSembleError
from orchestrator.access import keys, terms, tokens
from orchestrator.access.keys import Key, Limits, Standing
from orchestrator.access.lockout import (
    FREE_FOR_A_KEY,
    LONGEST_S,
    MOST_REMEMBERED,
    Lockout,
    network_of,
)
from tests.support.attacks import attack

CHAT = "/v1/chat/completions"


def made(secret: str, **changes: float | bytes | None) -> Key:
    digest = keys.digest(secret.encode())
    return Key("0" * 12, "k", digest, frozenset(), frozenset(), Limits(), 0, **changes)  # type: ignore[arg-type]


def test_a_key_names_itself_and_has_256_random_bits() -> None:
    key_id = keys.new_id()
    secrets = {keys.new_key(key_id) for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert keys.claimed_id(secret.encode()) == key_id
        assert len(bytes.fromhex(secret.rpartition("_")[2])) == 32


@attack(
    threat="Something that is no key is taken for one",
    control="One pattern, of the whole text",
    file="containers/orchestrator/src/orchestrator/access/keys.py",
)
@given(st.binary(max_size=100))
def test_nothing_else_opens(given: bytes) -> None:
    key = made(keys.new_key("0" * 12))
    assert not keys.opens(key, given, 1)
    assert not keys.opens(None, given, 1)


@attack(
    threat="A key is guessed character by character",
    control="Digests are compared, in constant time",
    file="containers/orchestrator/src/orchestrator/access/keys.py",
)
def test_one_wrong_character_does_not_open() -> None:
    secret = keys.new_key("0" * 12)
    key = made(secret)
    assert keys.opens(key, secret.encode(), 1)
    for place in range(len(secret)):
        wrong = secret[:place] + ("1" if secret[place] != "1" else "2") + secret[place + 1 :]
        assert not keys.opens(key, wrong.encode(), 1)


def test_the_former_secret_opens_until_its_time_is_over() -> None:
    former, present = keys.new_key("0" * 12), keys.new_key("0" * 12)
    key = made(present, previous=keys.digest(former.encode()), previous_until=100.0)
    assert keys.opens(key, former.encode(), 99)
    assert not keys.opens(key, former.encode(), 100)
    assert keys.opens(key, present.encode(), 100)


def test_a_key_ends_at_its_moment() -> None:
    assert made("x", expires_at=100.0).standing(99.9) is Standing.VALID
    assert made("x", expires_at=100.0).standing(100) is Standing.EXPIRED
    assert made("x", revoked_at=1.0).standing(0) is Standing.REVOKED


def test_guessing_takes_longer_and_longer() -> None:
    lockout, now, waits = Lockout(), 0.0, []
    for _ in range(FREE_FOR_A_KEY + 12):
        wait = lockout.wrong("192.0.2.1", "a", now)
        waits.append(wait)
        now += wait
    assert waits[:FREE_FOR_A_KEY] == [0] * FREE_FOR_A_KEY
    assert waits[FREE_FOR_A_KEY : FREE_FOR_A_KEY + 3] == [2, 4, 8]
    assert waits[-1] == LONGEST_S


@attack(
    threat="A guesser names another id each time",
    control="Wrong keys of an address are counted together, too",
    file="containers/orchestrator/src/orchestrator/access/lockout.py",
)
def test_another_id_each_time_is_guessing_too() -> None:
    lockout = Lockout()
    waits = [lockout.wrong("192.0.2.1", f"{number:012x}", 0) for number in range(200)]
    assert waits[-1] > 0
    assert lockout.wrong("192.0.2.2", "0" * 12, 0) == 0


@attack(
    threat="Guesses from many addresses fill the memory",
    control="A bounded number of guessers is remembered",
    file="containers/orchestrator/src/orchestrator/access/lockout.py",
)
def test_guesses_do_not_fill_the_memory() -> None:
    lockout = Lockout()
    for number in range(3 * MOST_REMEMBERED):
        lockout.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"{number:012x}", 0)
    assert len(lockout) <= MOST_REMEMBERED


@attack(
    threat="A guesser has 2^64 addresses by IPv6",
    control="A /64 is one address",
    file="containers/orchestrator/src/orchestrator/access/lockout.py",
)
def test_one_machine_is_one_address_by_ipv6_too() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")


def bound(body: Mapping[str, object], path: str = CHAT, **llm: object) -> int:
    raw = json.dumps(body).encode()
    return tokens.bound_of(tokens.wish_of(path, raw), LlmConfig.model_validate(llm))


def test_the_bound_grows_with_what_is_asked_and_ends_at_the_context() -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    small = bound({**body, "max_tokens": 10})
    assert small < 400
    assert bound({**body, "max_tokens": 20}) == small + 10 + 0
    assert bound({**body, "max_tokens": "20"}) == small + 10 + 2, "pydantic takes a number in a text"
    assert bound(body) == 4096
    assert bound({**body, "n": 3}) == 3 * 4096
    assert bound({**body, "max_tokens": 10, "max_completion_tokens": 3000}) > 3000
    assert bound({**body, "max_tokens": 100_000}, context=1000) == 1024


def test_of_a_remote_server_the_answer_has_to_be_bounded() -> None:
    body: dict[str, object] = {"messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(AiSembleError) as refused:
        bound(body, engine="openai")
    assert refused.value.code == "max_tokens_required"
    assert bound({**body, "max_tokens": 100_000}, engine="openai") > 100_000


@attack(
    threat="JSON that two parsers read differently gets around a limit",
    control="What only some parsers take is refused",
    file="containers/orchestrator/src/orchestrator/access/tokens.py",
)
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages": NaN}', '{"prompt": "a"}'.encode("utf-16"), b'{"prompt": 1}']
)
def test_what_the_service_might_read_otherwise_is_refused(body: bytes) -> None:
    for path in tokens.LLM_PATHS:
        with pytest.raises(AiSembleError) as refused:
            tokens.wish_of(path, body)
        assert refused.value.status in (400, 422)


@pytest.mark.parametrize(
    ("answer", "total"),
    [
        (b'{"choices": [], "usage": {"prompt_tokens": 3, "total_tokens": 7}}', 7),
        (b'{"usage":{"prompt_tokens":3,"total_tokens":9},"text":"' + b"x" * 20_000 + b'"}', 9),
        (b"data: {}\n\n" * 5000 + b'data: {"usage":{"a":{"b":1},"total_tokens":5}}\n\ndata: [DONE]\n\n', 5),
        (b'data: {"usage":null}\n\n', None),
        (b'{"text": "no word of it"}', None),
    ],
)
def test_the_tokens_used_are_read_from_either_end(answer: bytes, total: int | None) -> None:
    reader = tokens.UsageReader()
    for place in range(0, len(answer), 333):
        reader.feed(answer[place : place + 333])
    assert reader.total() == total


@attack(
    threat="A model is made to write a lower `usage` into its answer",
    control="Quotes within a text are escaped, and the largest number counts",
    file="containers/orchestrator/src/orchestrator/access/tokens.py",
)
@given(st.text(max_size=200))
def test_a_model_cannot_write_its_own_bill(said: str) -> None:
    lie = f'{said}"usage": {{"total_tokens": 0}}{said}\\"usage":{{"total_tokens":999}}'
    for text in (lie, json.dumps({"usage": {"total_tokens": 999}})):
        reader = tokens.UsageReader()
        reader.feed(json.dumps({"text": text, "usage": {"total_tokens": 5}}).encode())
        assert reader.total() == 5


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", 2_592_000),
        ("90s", 90),
        ("2w", 1_209_600),
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00+00:00", 3600),
    ],
)
def test_times_as_they_are_typed(text: str, moment: float) -> None:
    assert terms.moment_of(text, 0) == moment


@pytest.mark.parametrize("text", ["", "d", "30", "-1d", "soon", "1969-01-01", "0s"])
def test_a_time_that_is_none_or_over_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="`"):
        terms.moment_of(text, 0)
