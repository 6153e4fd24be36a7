"""Webhooks: every end of a run is told, signed, until it has arrived."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ai_semble.schemas.runs import RunState
from ai_semble.schemas.webhooks import WebhookRequest
from orchestrator.access.errors import ScopeMissing
from orchestrator.access.keys import Scope
from orchestrator.jobs.askers import ANYBODY, Asker
from orchestrator.jobs.database import Database
from orchestrator.sqlfiles import migrate_to
from orchestrator.workflows import signing
from orchestrator.workflows.records import NewRun
from orchestrator.workflows.store import PACKAGE, RunStore
from orchestrator.workflows.webhooks import WAITS_S, Webhooks
from tests.support.attacks import attack
from tests.support.fake_service import wait_until
from tests.support.upstream import Upstream, answering, upstream
from tests.unit.workflows.conftest import Platform, platform

ONE = "steps:\n  a:\n    nlp: {task: language, text: hi}\n"


def test_a_signature_is_that_of_the_specification() -> None:
    """Its own example, which its libraries are tested with."""
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signed = signing.headers(secret, message, 1614265330, b'{"test": 2432232314}')
    assert signed == {
        "webhook-id": message,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


class Receiver:
    """Runs that end, and messages about it that arrive or do not; with a clock that is set by hand."""

    def __init__(self, database: Database) -> None:
        self.now = 1_800_000_000.0
        self.status = 204
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.store = RunStore(database, lambda: self.now)
        self.scopes: dict[str, set[Scope]] = {}
        self.webhooks = Webhooks(database, self.post, self.check, ("example.com",), lambda: self.now)

    async def check(self, owner: str | None, scopes: Collection[Scope]) -> None:
        if owner is not None and not self.scopes.get(owner, {Scope.WORKFLOWS}).issuperset(scopes):
            raise ScopeMissing("The key is not for this")

    async def post(self, _: str, headers: Mapping[str, str], body: bytes) -> int:
        self.received.append((headers["webhook-id"], json.loads(body)))
        return self.status

    async def put(self, asker: Asker = ANYBODY, **members: Any) -> None:
        request = WebhookRequest.model_validate({"url": "https://example.com/x", **members})
        await self.webhooks.put("office", request, asker)

    async def run(self, state: RunState, owner: str | None = None, workflow: str = "test") -> str:
        run_id = f"{len(self.received)}{state}{owner}{workflow}{self.now}"
        new = NewRun(run_id, workflow, 1, "{}", owner, None, 0, "r", None, "f", "{}")
        await self.store.accept(new, 100)
        await self.store.end(run_id, state, "So it ended.", {}, {"code": "why"})
        return run_id

    async def after(self, seconds: float) -> int:
        """How many messages came when so much time had passed."""
        before = len(self.received)
        self.now += seconds
        await self.webhooks.send_due()
        return len(self.received) - before


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    database = Database(tmp_path / "x.sqlite", lambda connection: migrate_to(connection, PACKAGE), "test")
    database.open()
    yield Receiver(database)
    database.close()


async def test_what_does_not_arrive_is_sent_again_for_two_days_with_the_same_id(receiver: Receiver) -> None:
    await receiver.put()
    await receiver.run(RunState.FAILED)
    receiver.status = 500
    assert await receiver.after(0) == 1
    for wait in WAITS_S:
        assert await receiver.after(wait - 1) == 0
        assert await receiver.after(1) == 1
    assert await receiver.after(10**6) == 0, "then it is given up"
    assert len({message for message, _ in receiver.received}) == 1
    (delivery,) = (await receiver.webhooks.get("office", ANYBODY)).deliveries
    assert (delivery.attempts, delivery.next_at, delivery.delivered_at) == (len(WAITS_S) + 1, None, None)
    assert delivery.problem == "The host answered 500"


async def test_who_is_gone_is_sent_nothing_more(receiver: Receiver) -> None:
    await receiver.put()
    await receiver.run(RunState.FAILED)
    receiver.status = 410
    assert await receiver.after(0) == 1
    await receiver.run(RunState.FAILED)
    assert await receiver.after(10**6) == 0
    assert (await receiver.webhooks.get("office", ANYBODY)).disabled
    await receiver.put()
    receiver.status = 200
    await receiver.run(RunState.SUCCEEDED)
    assert await receiver.after(0) == 1


async def test_only_what_was_asked_for_is_told(receiver: Receiver) -> None:
    await receiver.put(Asker("mine", sees_all=False), ends=["failed"], workflow="test")
    for state, owner, workflow in (
        (RunState.SUCCEEDED, "mine", "test"),
        (RunState.FAILED, "other", "test"),
        (RunState.FAILED, None, "test"),
        (RunState.FAILED, "mine", "another"),
    ):
        await receiver.run(state, owner, workflow)
    assert await receiver.after(0) == 0
    run_id = await receiver.run(RunState.FAILED, "mine")
    assert await receiver.after(0) == 1
    ((_, told),) = receiver.received
    assert told == {
        "type": "run.failed",
        "timestamp": "2027-01-15T08:00:00Z",
        "data": {
            "run": run_id,
            "workflow": "test",
            "version": 1,
            "state": "failed",
            "reason": "So it ended.",
            "code": "why",
        },
    }


@attack(
    threat="A key that was revoked, or may no more see the runs of others, is told of them by its webhook for ever",
    control="The key of a webhook is looked up at each message",
    file="containers/orchestrator/src/orchestrator/workflows/webhooks.py",
)
async def test_a_webhook_tells_what_its_key_may_see_now(receiver: Receiver) -> None:
    receiver.scopes["all"] = {Scope.WORKFLOWS, Scope.ALL_JOBS}
    await receiver.put(Asker("all", sees_all=True))
    await receiver.run(RunState.FAILED, "other")
    assert await receiver.after(1) == 1
    receiver.scopes["all"] = {Scope.WORKFLOWS}
    await receiver.run(RunState.FAILED, "other")
    assert await receiver.after(1) == 0
    last = (await receiver.webhooks.get("office", ANYBODY)).deliveries[0]
    assert (last.attempts, last.problem) == (1, "The key is not for this")


async def test_a_message_with_a_defect_holds_up_no_other(receiver: Receiver) -> None:
    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        if b"broken" in body:
            raise RuntimeError
        return await Receiver.post(receiver, url, headers, body)

    receiver.webhooks._post = post
    await receiver.put()
    await receiver.run(RunState.FAILED, workflow="broken")
    receiver.now += 1
    await receiver.run(RunState.FAILED)
    assert await receiver.after(1) == 1


@attack(
    threat="A receiver that never answers, with thousands of messages, keeps those of others from being sent",
    control="After a message that failed, the others to that receiver let those of others go first",
    file="containers/orchestrator/src/orchestrator/workflows/webhooks.py",
)
async def test_who_fails_holds_up_nobody_else(receiver: Receiver) -> None:
    asked: list[str] = []

    async def post(url: str, _: Mapping[str, str], __: bytes) -> int:
        asked.append(url)
        return 500 if url.endswith("slow") else 204

    receiver.webhooks._post = post
    await receiver.put(url="https://example.com/slow", ends=["failed"])
    for number in range(30):
        await receiver.run(RunState.FAILED, workflow=f"test{number}")
    request = WebhookRequest.model_validate({"url": "https://example.com/quick", "ends": ["cancelled"]})
    await receiver.webhooks.put("quick", request, ANYBODY)
    receiver.now += 1
    await receiver.run(RunState.CANCELLED)
    await receiver.webhooks.send_due()
    assert asked.index("https://example.com/quick") <= 8
    receiver.now += WAITS_S[0]
    asked.clear()
    await receiver.webhooks.send_due()
    assert asked, "and what waited is sent"


@pytest.fixture(scope="module")
def host() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def there(host: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    listed = {"http_hosts": [f"127.0.0.1:{host.port}", "localhost"]}
    fetch = {"allowed_private_hosts": [f"127.0.0.1:{host.port}"]}
    with platform(tmp_path_factory.mktemp("hooks"), workflows=listed, fetch=fetch) as made:
        yield made


def test_the_end_of_a_run_is_told_and_can_be_verified(there: Platform, host: Upstream) -> None:
    host.answer = answering(200, "text/plain", b"thanks")
    made = there.api.put("/webhooks/office", json={"url": f"{host.url}/hook"})
    assert made.status_code == 201, made.text
    key = base64.b64decode(made.json()["secret"].removeprefix("whsec_"))
    assert there.api.get("/webhooks/office").json()["secret"] is None
    run = there.result_of(ONE)
    wait_until(lambda: bool(host.seen and host.last().json()), "it was told")
    seen = host.last()
    assert seen.json()["data"]["run"] == run["id"]
    assert abs(int(seen.headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode() + bytes(seen.body)
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert seen.headers["webhook-signature"] == f"v1,{expected}"
    wait_until(
        lambda: there.api.get("/webhooks/office").json()["deliveries"][0]["delivered_at"] is not None, "noted"
    )
    assert there.api.put("/webhooks/office", json={"url": host.url}).json()["secret"] is None
    assert there.api.post("/webhooks/office/rotate").json()["secret"] != made.json()["secret"]
    assert [one["name"] for one in there.api.get("/webhooks").json()["webhooks"]] == ["office"]
    assert there.api.delete("/webhooks/office").status_code == 204
    assert there.api.delete("/webhooks/office").json()["code"] == "webhook_not_found"


@attack(
    threat="A webhook makes the orchestrator call a host inside the network",
    control="Webhooks go to hosts of `workflows.http_hosts` alone, under the rules of every URL",
    file="containers/orchestrator/src/orchestrator/workflows/webhooks.py",
)
def test_a_webhook_reaches_only_listed_hosts_that_are_public_or_allowed(
    there: Platform, host: Upstream
) -> None:
    refused = there.api.put("/webhooks/inside", json={"url": "http://169.254.169.254/"})
    assert (refused.status_code, refused.json()["code"]) == (403, "host_not_listed")
    assert there.api.put("/webhooks/inside", json={"url": "http://localhost:8080/"}).status_code == 201
    host.reset()
    there.result_of(ONE)
    wait_until(
        lambda: any(sent["problem"] for sent in there.api.get("/webhooks/inside").json()["deliveries"]),
        "tried",
    )
    problem = there.api.get("/webhooks/inside").json()["deliveries"][0]["problem"]
    assert "localhost is" in problem
    there.api.delete("/webhooks/inside")
