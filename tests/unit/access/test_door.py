"""Who is let in, where to, and what the others are told."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest

from ai_semble import envelope
from ai_semble.config import Config
from ai_semble.embedded import http
from ai_semble.probe import asking as probe
from ai_semble.secrets import health_token
from orchestrator.access import control
from orchestrator.access.book import LOOK_EVERY_S, Book
from orchestrator.access.errors import KeysUnavailable
from orchestrator.access.keys import Key, Scope
from orchestrator.access.lockout import FREE_FOR_A_KEY
from orchestrator.access.store import KeyStore
from orchestrator.operations import OPERATIONS
from tests.support.attacks import attack
from tests.support.upstream import answering
from tests.unit.access.conftest import EVERYTHING, Door, bearer, door, wait_until
from tests.unit.gateway.conftest import TOKEN

NLP, CHAT = "/ai/nlp/process", "/v1/chat/completions"
CALLS = {
    "/ai/llm/completion": Scope.LLM,
    CHAT: Scope.LLM,
    "/v1/completions": Scope.LLM,
    "/v1/models": Scope.LLM,
    "/ai/vision/analyze": Scope.VISION,
    NLP: Scope.NLP,
    "/v1/embeddings": Scope.NLP,
    "/data/process": Scope.DATA,
    "/data/datasets": Scope.DATA,
    "/data/datasets/{name}": Scope.DATA,
    "/data/datasets/{name}/content": Scope.DATA,
    "/jobs": Scope.JOBS,
    "/jobs/{job_id}": Scope.JOBS,
    "/jobs/{job_id}/result": Scope.JOBS,
    "/jobs/{job_id}/events": Scope.JOBS,
    "/workflows": Scope.WORKFLOWS,
    "/workflows/{name}": Scope.WORKFLOWS,
    "/workflows/{name}/graph": Scope.WORKFLOWS,
    "/workflows/{name}/runs": Scope.WORKFLOWS,
    "/runs/{run_id}": Scope.WORKFLOWS,
    "/runs/{run_id}/outputs": Scope.WORKFLOWS,
    "/runs/{run_id}/steps/{step}/result": Scope.WORKFLOWS,
    "/runs/{run_id}/log": Scope.WORKFLOWS,
    "/runs/{run_id}/events": Scope.WORKFLOWS,
    "/runs/{run_id}/graph": Scope.WORKFLOWS,
    "/runs/{run_id}/cancel": Scope.WORKFLOWS,
    "/runs/{run_id}/retry": Scope.WORKFLOWS,
    "/runs/{run_id}/rerun": Scope.WORKFLOWS,
    "/schedules": Scope.WORKFLOWS,
    "/schedules/{name}": Scope.WORKFLOWS,
    "/schedules/{name}/pause": Scope.WORKFLOWS,
    "/schedules/{name}/resume": Scope.WORKFLOWS,
    "/webhooks": Scope.WORKFLOWS,
    "/webhooks/{name}": Scope.WORKFLOWS,
    "/webhooks/{name}/rotate": Scope.WORKFLOWS,
    "/health": Scope.HEALTH,
    "/metrics": Scope.METRICS,
}
LLM = {"/ai/llm/completion", CHAT, "/v1/completions"}
ANY_KEY = {"/openapi.json", "/schemas/workflow.json"}
PAGE = {"/", "/docs", "/docs/docs.js", "/docs/docs.css", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"}
NO_KEY = {"/health/live", "/health/ready"}
METHODS = {operation.path: operation.method for operation in OPERATIONS}


def ask(client: httpx.Client, path: str, method: str = "", **more: object) -> httpx.Response:
    path_asked = re.sub(r"\{\w+\}", "x", path)
    return client.request(method or METHODS.get(path, "GET"), path_asked, **more)  # type: ignore[arg-type]


def in_browser(address: str) -> str:
    """What a page has become in a real browser."""
    browser = shutil.which("chromium") or pytest.skip("no browser; apt-get install chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    return subprocess.run(
        [browser, *options, address], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def code(answer: httpx.Response) -> str:
    document = answer.json()
    found: str = document.get("error", document)["code"]
    return found


def test_every_described_path_is_in_this_table(closed: Door) -> None:
    """A new path must not be open to all keys by oversight."""
    with closed.client(closed.key()) as client:
        assert set(client.get("/openapi.json").json()["paths"]) == set(CALLS) | NO_KEY | (
            ANY_KEY - {"/openapi.json"}
        )


@attack(
    threat="Somebody without a key reads anything, where keys are needed",
    control="Every path but two needs a key, before any route sees the request",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
@pytest.mark.parametrize("path", sorted(set(CALLS) | ANY_KEY))
def test_without_a_key_nothing_is_told(closed: Door, path: str) -> None:
    with closed.client() as client:
        answer = ask(client, path)
    assert (answer.status_code, code(answer)) == (401, "api_key_required")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-request-id"]
    assert ("error" in answer.json()) is path.startswith("/v1/")
    assert not any(service.seen for service in closed.services.values())


def test_supervisors_need_no_key_and_learn_nothing(closed: Door) -> None:
    with closed.client() as client:
        assert client.get("/health/live").json() == {"status": "alive"}
        assert client.get("/health/ready").status_code in (200, 503)


def test_the_page_of_the_description_opens_without_a_key_and_says_what_it_needs(closed: Door) -> None:
    with closed.client() as client:
        for path in sorted(PAGE):
            assert client.get(path).status_code in (200, 307), path
        for path in ("/docs/", "/docs/x", "/docs/docs.html"):
            assert client.get(path).status_code == 401, path
    seen = in_browser(f"{closed.url}/docs")
    assert "An API key is needed" in seen
    assert "keys create NAME" in seen
    assert "List jobs" not in seen


def test_where_no_key_is_needed_the_page_shows_the_description_at_once(local: Door) -> None:
    seen = in_browser(f"{local.url}/docs")
    assert "List jobs" in seen
    assert "An API key is needed" not in seen


@attack(
    threat="A key for one part of the API is used for another",
    control="A scope for each path, looked up in a table",
    file="containers/orchestrator/src/orchestrator/access/needs.py",
)
def test_a_key_opens_what_it_is_for_and_nothing_else(closed: Door) -> None:
    for own in Scope:
        key = closed.key(own.value, scopes=frozenset({own}))
        with closed.client(key) as client:
            for path, needed in CALLS.items():
                answer = ask(client, path)
                if needed is own:
                    assert answer.status_code not in (401, 403), path
                else:
                    assert (answer.status_code, code(answer)) == (403, "scope_missing"), path


TRICKS = (
    "%0A",
    "%0D",
    "%0D%0A",
    "%00",
    "%09",
    "%7F",
    "%C2%85",
    "%E2%80%A8",
    "%20",
    "%A0",
    "/",
    "//",
    ";",
    "%3F",
    "%23",
)


@attack(
    threat="A path is written in another way, so that its scope is not found",
    control="A path that no table knows is none",
    file="containers/orchestrator/src/orchestrator/access/needs.py",
)
@pytest.mark.parametrize("trick", TRICKS)
def test_what_is_appended_to_a_path_opens_nothing(closed: Door, trick: str) -> None:
    """Starlette's routes end in `$`, which is true before a last line feed, too."""
    nothing = closed.key("nothing", scopes=frozenset())
    every = closed.key("every", models=frozenset({"another"}), tokens_per_minute=10)
    tricked = {
        path + trick: METHODS.get(path, "GET") for path in sorted((set(CALLS) | ANY_KEY | PAGE) - {"/"})
    }
    with closed.client(nothing) as client:
        for asked, method in tricked.items():
            for headers in ({}, {"Prefer": "respond-async"}):
                answer = ask(client, asked, headers=headers, method=method)
                assert answer.status_code in (400, 403, 404), (asked, answer.text)
    with closed.client() as client:
        for asked, method in tricked.items():
            assert ask(client, asked, method=method).status_code in (400, 401, 404), asked
    with closed.client(every) as client:
        for path in sorted(LLM):
            assert client.post(path + trick, json={"prompt": "hi"}).status_code in (400, 404), path
    assert not any(service.seen for service in closed.services.values())


@attack(
    threat="A line feed in a path makes two programs read two paths",
    control="No path has control characters",
    file="containers/orchestrator/src/orchestrator/access/needs.py",
)
@pytest.mark.parametrize("trick", ["%0A", "%0D", "%00", "%7F", "%C2%85"])
def test_control_characters_in_a_path_are_refused_without_keys_too(local: Door, trick: str) -> None:
    with local.client() as client:
        for path in sorted(set(CALLS) | ANY_KEY | PAGE | NO_KEY):
            answer = ask(client, path + trick, method=METHODS.get(path, "GET"))
            assert (answer.status_code, code(answer)) == (400, "malformed_request"), path
    assert not any(service.seen for service in local.services.values())


def test_both_headers_are_understood(closed: Door) -> None:
    key = closed.key()
    with closed.client() as client:
        for headers in (
            {"Authorization": f"Bearer {key}"},
            {"Authorization": f"bearer  {key}"},
            {"X-API-Key": key},
            {"Authorization": f"Bearer {key}", "X-API-Key": key},
        ):
            assert client.post(NLP, headers=headers).status_code == 200
        other = closed.key("other")
        both = client.post(NLP, headers={"Authorization": f"Bearer {key}", "X-API-Key": other})
        assert (both.status_code, code(both)) == (401, "invalid_api_key")
        assert client.post(NLP, headers={"Authorization": f"Basic {key}"}).status_code == 401


@attack(
    threat="A service that was taken over, or who reads the jobs' files, gets the caller's key",
    control="The key ends at the gateway, and is never written",
    file="containers/orchestrator/src/orchestrator/gateway/headers.py",
)
def test_no_service_and_no_job_sees_the_key(closed: Door) -> None:
    key = closed.key()
    with closed.client() as client:
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
            told = client.post(NLP, headers=headers).json()
            assert key not in str(told)
            assert told["headers"]["authorization"] == f"Bearer {TOKEN}"
            job = client.post(NLP, headers={**headers, "Prefer": "respond-async"}).json()
            assert job["id"]
    kept = [file.read_bytes() for file in closed.runtime.paths.state_dir.rglob("*") if file.is_file()]
    assert len(kept) > 3
    assert not any(key.rpartition("_")[2].encode() in content for content in kept)


@attack(
    threat="A key in a URL is kept in logs and histories",
    control="A URL with a key is refused, and not logged",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
def test_a_key_in_the_address_is_refused_and_not_logged(
    closed: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    for module in (control, envelope):
        monkeypatch.setattr(module, "log", log)
    key = closed.key()
    with closed.client(key) as client:
        answer = client.get(f"/jobs?api_key={key}")
        wrong = client.get("/jobs", headers=bearer(key[:-1] + ("0" if key[-1] != "0" else "1")))
    assert (answer.status_code, code(answer)) == (400, "api_key_in_url")
    assert wrong.status_code == 401
    said = answer.text + wrong.text + caplog.text + str(log.mock_calls)
    assert "access_refused" in said
    assert key.rpartition("_")[2][:-1] not in said


@attack(
    threat="The same, percent-encoded, in the path, or where no key is needed",
    control="The decoded address is searched, before anything is logged",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
@pytest.mark.parametrize(
    "address",
    [
        "/jobs?k=ais%5F{}",
        "/jobs?k=%61%69%73_{}",
        "/jobs/ais_{}",
        "/jobs/%61is%5F{}",
        "/ais_{}",
        "/health/live?ais_{}",
        "/v1/ais_{}",
        "/ais_{}%0A",
    ],
)
@pytest.mark.parametrize("with_key", [False, True])
def test_a_key_anywhere_in_the_address_is_refused_and_not_logged(
    local: Door, address: str, with_key: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    monkeypatch.setattr(envelope, "log", log)
    key = local.key()
    with local.client(key if with_key else None) as client:
        answer = client.get(address.format(key.removeprefix("ais_")))
    assert (answer.status_code, code(answer)) == (400, "api_key_in_url")
    wait_until(lambda: bool(log.mock_calls), "logged")
    assert key.rpartition("_")[2] not in answer.text + str(log.mock_calls)


@attack(
    threat="A key in a path is logged by what refuses the request before keys are looked at",
    control="Every path is written without the secrets in it",
    file="containers/base/src/ai_semble/redaction.py",
)
def test_a_key_in_a_path_is_not_logged_by_what_refuses_the_request_earlier(
    local: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    monkeypatch.setattr(envelope, "log", log)
    key = local.key()
    with local.client() as client:
        answer = client.get(f"/jobs/{key}", headers={"Host": "evil.example"})
    assert (answer.status_code, code(answer)) == (403, "host_not_allowed")
    wait_until(lambda: bool(log.mock_calls), "logged")
    assert key.split("_")[1] in str(log.mock_calls), "its id tells whose it was"
    assert key.rpartition("_")[2] not in answer.text + str(log.mock_calls)


@attack(
    threat="Many requests while the keys' file is locked keep every thread waiting",
    control="One look for all who wait",
    file="containers/orchestrator/src/orchestrator/access/book.py",
)
def test_a_locked_file_is_looked_at_once_for_all(closed: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that fails after a while must not be tried again by each of those who waited for it."""
    book = Book(closed.store)
    looks = 0

    def locked(_: KeyStore) -> Mapping[str, Key]:
        nonlocal looks
        looks += 1
        time.sleep(LOOK_EVERY_S * 1.5)
        raise KeysUnavailable("it is locked")

    monkeypatch.setattr(KeyStore, "all", locked)

    async def ask_both(number: int) -> None:
        with pytest.raises(KeysUnavailable):
            await (book.keys_now() if number % 2 else book.keys())

    async def ask_at_once() -> None:
        await asyncio.gather(*(ask_both(number) for number in range(50)))

    asyncio.run(ask_at_once())
    assert looks == 1


def test_a_writer_at_work_keeps_no_reader_out(closed: Door) -> None:
    closed.key()
    with closing(sqlite3.connect(closed.file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert len(closed.store.all()) == 1
        writer.execute("ROLLBACK")


@attack(
    threat="A revoked key goes on to open",
    control="The file is looked at five times a second",
    file="containers/orchestrator/src/orchestrator/access/book.py",
)
def test_a_new_key_and_a_revoked_one_are_known_without_a_restart(closed: Door) -> None:
    with closed.client() as client:
        assert client.post(NLP, headers=bearer(closed.key("first"))).status_code == 200
        second = closed.key("second")
        wait_until(lambda: client.post(NLP, headers=bearer(second)).status_code == 200, "known")
        closed.store.revoke("second")
        wait_until(lambda: client.post(NLP, headers=bearer(second)).status_code == 401, "refused")
        assert code(client.post(NLP, headers=bearer(second))) == "api_key_revoked"


@attack(
    threat="A replaced secret goes on to open",
    control="Digests of the present secret, and of the former one until its time",
    file="containers/orchestrator/src/orchestrator/access/keys.py",
)
def test_a_rotated_key_opens_beside_the_former_one_for_a_while(closed: Door) -> None:
    former = closed.key()
    with closed.client() as client:
        _, present = closed.store.rotate("test", 3600)
        wait_until(lambda: client.post(NLP, headers=bearer(present)).status_code == 200, "known")
        assert client.post(NLP, headers=bearer(former)).status_code == 200
        _, last = closed.store.rotate("test", 0)
        wait_until(lambda: client.post(NLP, headers=bearer(last)).status_code == 200, "known")
        for gone in (former, present):
            assert code(client.post(NLP, headers=bearer(gone))) == "invalid_api_key"


@attack(
    threat="An expired key goes on to open",
    control="The time of each key is checked at each request",
    file="containers/orchestrator/src/orchestrator/access/keys.py",
)
def test_an_expired_key_says_so(closed: Door) -> None:
    key = closed.key(expires_at=time.time() - 1)
    with closed.client(key) as client:
        assert code(client.post(NLP)) == "api_key_expired"


@attack(
    threat="Keys are guessed; or guesses lock out whoever has the right one",
    control="256 random bits; wrong keys are soon told to stay away, a right one always gets in",
    file="containers/orchestrator/src/orchestrator/access/lockout.py",
)
def test_whoever_guesses_is_told_to_stay_away_and_the_right_key_gets_in(closed: Door) -> None:
    key = closed.key()
    wrong = re.sub("[0-9a-f]$", lambda last: "0" if last[0] != "0" else "1", key)
    with closed.client() as client:
        answers = [client.post(NLP, headers=bearer(wrong)) for _ in range(FREE_FOR_A_KEY + 2)]
        assert [code(answer) for answer in answers[:FREE_FOR_A_KEY]] == ["invalid_api_key"] * FREE_FOR_A_KEY
        assert (answers[-1].status_code, code(answers[-1])) == (429, "too_many_wrong_keys")
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert client.post(NLP, headers=bearer(key)).status_code == 200
    assert closed.refusals("invalid_api_key") == FREE_FOR_A_KEY
    assert closed.refusals("too_many_wrong_keys") == 2


@attack(
    threat="The file of keys is damaged, so that nobody is asked for one",
    control="What cannot be read lets nobody in",
    file="containers/orchestrator/src/orchestrator/access/store.py",
)
@pytest.mark.parametrize("content", [b"", b"this is no database", b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_lets_nobody_in(closed: Door, content: bytes) -> None:
    key = closed.key()
    with closed.client(key) as client:
        assert client.post(NLP).status_code == 200
        kept = closed.file.read_bytes()
        closed.file.write_bytes(content)
        wait_until(lambda: client.post(NLP).status_code == 503, "refused")
        answer = client.post(CHAT)
        assert (answer.status_code, code(answer)) == (503, "keys_unavailable")
        assert "keys list" in answer.json()["error"]["hint"]
        assert client.get("/health/live").status_code == 200
        closed.file.write_bytes(kept)
        wait_until(lambda: client.post(NLP).status_code == 200, "let in again")


@attack(
    threat="The file of keys is removed, so that nobody is asked for one",
    control="Without keys nobody gets in",
    file="containers/orchestrator/src/orchestrator/access/store.py",
)
def test_a_file_that_is_gone_lets_nobody_in(closed: Door) -> None:
    with closed.client(closed.key()) as client:
        assert client.post(NLP).status_code == 200
        closed.file.unlink()
        wait_until(lambda: client.post(NLP).status_code == 401, "refused")


@attack(
    threat="Somebody who reads the file of keys has them",
    control="Only hashes are kept, in a file that is its owner's alone",
    file="containers/orchestrator/src/orchestrator/access/store.py",
)
def test_the_file_is_its_owner_s_alone_and_has_no_key_in_it(closed: Door) -> None:
    key = closed.key()
    assert stat.S_IMODE(closed.file.stat().st_mode) == 0o600
    assert key.rpartition("_")[2].encode() not in closed.file.read_bytes()
    assert [file.name for file in closed.file.parent.glob("keys*")] == ["keys.sqlite"]


def test_status_and_an_update_s_questions_need_no_key(closed: Door) -> None:
    with closed.client(health_token(TOKEN)) as client:
        assert client.get("/metrics").status_code == 200
        assert client.post(NLP).status_code == 401
    port = int(closed.url.rpartition(":")[2])
    status = asyncio.run(http.get("127.0.0.1", port, "/health", 30, token=health_token(TOKEN)))
    assert status is not None
    assert status[0] == 200
    config = Config.model_validate({"orchestrator": {"port": port}})
    asked = probe.ask(probe.Door(config, TOKEN), "orchestrator", 30)
    assert closed.services["nlp"].seen, "the fake service was asked"
    assert "401" not in asked.reason
    assert not probe.ask(probe.Door(config, "another"), "orchestrator", 30).is_well


@attack(
    threat="A wrong or limited key is used where none is needed, to be treated as without one",
    control="What looks like our key is checked everywhere",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
def test_on_loopback_any_word_passes_but_a_wrong_key_of_ours_does_not(local: Door) -> None:
    with local.client() as client:
        for key in (None, "unused", "sk-proj-123"):
            assert client.post(NLP, headers=bearer(key) if key else {}).status_code == 200
        assert not local.file.exists()
        unknown = "ais_" + "0" * 12 + "_" + "0" * 64
        assert code(client.post(NLP, headers=bearer(unknown))) == "invalid_api_key"
        assert code(client.post(NLP, headers={"X-API-Key": "ais_"})) == "invalid_api_key"
        narrow = local.key(scopes=frozenset({Scope.LLM}))
        wait_until(lambda: client.post(NLP, headers=bearer(narrow)).status_code == 403, "limited")
        assert client.get("/health").status_code == 200


@attack(
    threat="A call that a key may not make is made as a job",
    control="A job needs the scope of its call and its own",
    file="containers/orchestrator/src/orchestrator/access/layer.py",
)
def test_a_job_needs_the_scope_of_its_call_and_of_jobs(closed: Door) -> None:
    later = {"Prefer": "respond-async"}
    for scopes, status in (
        ({Scope.NLP, Scope.JOBS}, 202),
        ({Scope.NLP}, 403),
        ({Scope.JOBS}, 403),
        ({Scope.LLM, Scope.JOBS}, 403),
    ):
        key = closed.key("+".join(scopes), scopes=frozenset(scopes))
        with closed.client(key) as client:
            assert client.post(NLP, headers=later).status_code == status, scopes
    assert not closed.services["llm"].seen


@attack(
    threat="A key for one model calls another",
    control="The body is read with the same model as by the service",
    file="containers/orchestrator/src/orchestrator/access/tokens.py",
)
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("path", ["/ai/llm/completion", CHAT, "/v1/completions"])
def test_a_key_for_some_models_calls_no_other(closed: Door, path: str, later: bool) -> None:
    asks = {"messages": [{"role": "user", "content": "hi"}]} if path == CHAT else {"prompt": "hi"}
    headers = {"Prefer": "respond-async"} if later else {}
    own = closed.key("own", models=frozenset({closed.runtime.config.llm.model}))
    other = closed.key("other", models=frozenset({"another"}))
    with closed.client(own) as client:
        assert client.post(path, json=asks, headers=headers).status_code in (200, 202)
        assert (
            code(client.post(path, json={**asks, "model": "another"}, headers=headers)) == "model_not_allowed"
        )
        twice = b'{"model": "another", ' + httpx.Request("POST", "http://x", json=asks).content[1:]
        assert client.post(path, content=twice, headers=headers).status_code == 403
    with closed.client(other) as client:
        assert code(client.post(path, json=asks, headers=headers)) == "model_not_allowed"
        assert client.post(path, json={**asks, "model": "another"}, headers=headers).status_code in (200, 202)
    wait_until(lambda: len(closed.services["llm"].seen) == 2, "the two good calls")


def test_the_body_arrives_as_it_was_sent(closed: Door) -> None:
    body = b'{ "prompt" : "\xe3\x81\x82' + b"x" * 300_000 + b'",\n "max_tokens":3}'
    key = closed.key(models=frozenset({closed.runtime.config.llm.model}))
    with closed.client(key) as client:
        told = client.post("/ai/llm/completion", content=body).json()
    assert told["body"].encode("latin-1") == body


def test_a_key_sees_only_its_models(closed: Door) -> None:
    listed = b'{"object": "list", "data": [{"id": "a", "context": 1}, {"id": "b"}, {"id": "c"}]}'
    closed.services["llm"].answer = answering(200, "application/json", listed)
    with closed.client(closed.key("ac", models=frozenset("ac"))) as client:
        answer = client.get("/v1/models")
    assert answer.json() == {"object": "list", "data": [{"id": "a", "context": 1}, {"id": "c"}]}
    with closed.client(closed.key("all")) as client:
        assert client.get("/v1/models").content == listed


def test_keys_survive_a_restart(tmp_path: Path) -> None:
    with door(tmp_path) as first:
        key = first.key()
        with first.client(key) as client:
            assert client.post(NLP).status_code == 200
    with door(tmp_path) as second, second.client(key) as client:
        assert client.post(NLP).status_code == 200
        assert next(iter(second.store.all().values())).scopes == EVERYTHING


@attack(
    threat="The API is opened to a network without keys",
    control="Another address than loopback needs keys, whatever the settings say",
    file="containers/orchestrator/src/orchestrator/access/control.py",
)
def test_an_address_that_others_reach_needs_keys_by_itself(tmp_path: Path) -> None:
    with (
        door(tmp_path, access={}, server={"host": "0.0.0.0"}) as made,  # noqa: S104 - served on loopback here
        made.client() as client,
    ):
        assert client.post(NLP).status_code == 401
