"""What the commands say when something is wrong, and what a terminal gets; at a server that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.client_commands import Typist
from tests.support.upstream import Upstream
from tests.unit.client.replies import (
    END,
    JOB_ID,
    LANGUAGE,
    fine,
    frame,
    job,
    one_after_the_other,
    refused,
    sse,
)


@pytest.fixture
def typist(server: Upstream, tmp_path: Path) -> Typist:
    return Typist(server.url, tmp_path)


def test_an_error_is_told_with_its_hint_on_standard_error(server: Upstream, typist: Typist) -> None:
    server.answer = refused(422, "invalid_request")
    ended = typist.types("nlp", "language", "x")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[:2] == ["error: It happened", "hint:  Do something."]
    assert "invalid_request, request r1" in ended.stderr


def test_an_environment_that_is_not_there_is_told_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / ".config" / "ai-semble-client").mkdir(parents=True)
    (tmp_path / ".config" / "ai-semble-client" / "config.toml").write_text("retries = 0\n")
    ended = Typist("http://127.0.0.1:9", tmp_path).types("models")
    assert ended.returncode == 1
    assert "AI_SEMBLE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("see",),
        ("nlp", "wrong", "x"),
        ("jobs", "list", "--state", "wrong"),
        ("chat", "--no-such"),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_2(words: tuple[str, ...], typist: Typist, server: Upstream) -> None:
    ended = typist.types(*words)
    assert ended.returncode == 2
    assert server.seen == []


def test_json_is_the_apis_own_answer(server: Upstream, typist: Typist) -> None:
    server.answer = fine(LANGUAGE)
    ended = typist.types("nlp", "language", "x", "--json")
    assert json.loads(ended.stdout) == LANGUAGE


def test_lines_of_standard_input_are_texts(server: Upstream, typist: Typist) -> None:
    server.answer = fine({**LANGUAGE, "result": None, "results": [LANGUAGE["result"]] * 2})
    typist.types("nlp", "language", "--lines", given="one\n\ntwo\n")
    assert server.last().json()["texts"] == ["one", "two"]


def test_without_a_terminal_there_is_no_colour(server: Upstream, typist: Typist) -> None:
    server.answer = fine(LANGUAGE)
    ended = typist.types("nlp", "language", "x")
    assert "\x1b" not in ended.stdout + ended.stderr


def test_an_answer_gives_no_orders_to_a_terminal(server: Upstream, typist: Typist) -> None:
    evil = "a\x1b]0;owned\x07b\x1b[2Jc"
    server.answer = sse(frame("delta", {"text": evil}), frame("done", END))
    assert "a]0;ownedb[2Jc" in typist.at_a_terminal("chat", "x")
    assert typist.types("chat", "x").stdout == evil + "\n", "in a file it is what it is"


def test_a_name_from_the_server_gives_no_orders_to_a_terminal(server: Upstream, typist: Typist) -> None:
    server.answer = fine({"jobs": [{**job("failed"), "reason": "a\x1b[2Jb"}], "next_cursor": None})
    shown = typist.at_a_terminal("jobs", "list")
    assert "a[2Jb" in shown


def test_a_conversation_remembers_what_was_said(server: Upstream, typist: Typist) -> None:
    server.answer = sse(frame("delta", {"text": "Hello."}), frame("done", END))
    typist.at_a_terminal("chat", "--system", "Be kind.", answers=["Hi\n", "And you?\n", "\x04"])
    roles = [(one["role"], one["content"]) for one in server.last().json()["messages"]]
    assert roles == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "And you?"),
    ]


def test_a_question_that_failed_is_not_remembered(server: Upstream, typist: Typist) -> None:
    server.answer = one_after_the_other(
        [refused(400, "context_length_exceeded"), sse(frame("delta", {"text": "Yes."}), frame("done", END))]
    )
    shown = typist.at_a_terminal("chat", answers=["Too long\n", "Short\n", "\x04"])
    assert "It happened" in shown
    assert [one["content"] for one in server.last().json()["messages"]] == ["Short"]


def test_an_answer_that_was_cut_off_is_told(server: Upstream, typist: Typist) -> None:
    server.answer = sse(frame("delta", {"text": "He"}), frame("done", {**END, "finish_reason": "length"}))
    ended = typist.types("chat", "x")
    assert ended.stdout == "He\n"
    assert "--max-tokens" in ended.stderr


def test_watching_a_job_that_fails_exits_with_1(server: Upstream, typist: Typist) -> None:
    server.answer = one_after_the_other([fine(job("running")), fine(job("failed"))])
    ended = typist.types("jobs", "watch", JOB_ID)
    assert ended.returncode == 1
    assert [line.split()[2] for line in ended.stderr.splitlines()] == ["running:", "failed:"]


def test_a_job_has_a_bar_on_a_terminal(server: Upstream, typist: Typist) -> None:
    running = {**job("running"), "progress": {"fraction": 0.5, "message": "half of it"}}
    server.answer = one_after_the_other([fine(running), fine(job("succeeded"))])
    shown = typist.at_a_terminal("jobs", "watch", JOB_ID)
    assert "half of it" in shown
    assert "━" in shown


def test_a_file_that_breaks_off_leaves_nothing(server: Upstream, typist: Typist, tmp_path: Path) -> None:
    server.answer = sse(b"a" * 1000, ends=False)
    target = tmp_path / "t.csv"
    ended = typist.types("data", "download", "t", str(target))
    assert ended.returncode == 1
    assert [path.name for path in tmp_path.iterdir() if "t.csv" in path.name] == []
