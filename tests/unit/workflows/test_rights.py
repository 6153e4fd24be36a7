"""Whose runs are whose, and what a run may do: what its key may."""

from __future__ import annotations

import json

import httpx

from orchestrator.access.keys import Scope
from tests.support.attacks import attack
from tests.support.upstream import Exchange, answering
from tests.unit.access.conftest import Door, closed, wait_until
from tests.unit.workflows.conftest import YAML

__all__ = ["closed"]
USUAL = frozenset({Scope.NLP, Scope.WORKFLOWS})
NLP = "steps:\n  a:\n    nlp: {task: language, text: hi}\n"
LLM = "steps:\n  a:\n    llm: {prompt: hi, max_tokens: 10}\n"
SERVICE = "containers/orchestrator/src/orchestrator/workflows/service.py"
RIGHTS = "containers/orchestrator/src/orchestrator/access/rights.py"
NOWHERE = "0" * 32


def put(client: httpx.Client, text: str = NLP, name: str = "test") -> httpx.Response:
    return client.put(f"/workflows/{name}", content=text, headers=YAML)


def run(client: httpx.Client, name: str = "test") -> str:
    answer = client.post(f"/workflows/{name}/runs")
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def ended(client: httpx.Client, run_id: str) -> dict[str, object]:
    seen: dict[str, object] = client.get(f"/runs/{run_id}", params={"wait_s": 25}).json()
    assert seen["ended_at"], seen
    return seen


@attack(
    threat="A key with the scope `workflows` reads, cancels, repeats or deletes the runs of another key",
    control="A run belongs to the key that it was made with; to others it does not exist",
    file=SERVICE,
)
def test_a_run_of_another_key_is_one_that_does_not_exist(closed: Door) -> None:
    closed.services["nlp"].answer = answering(200, "application/json", b"{}")
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(closed.key("other", scopes=USUAL)) as other,
        closed.client(closed.key("all", scopes=USUAL | {Scope.ALL_JOBS})) as everything,
    ):
        put(mine)
        run_id = run(mine)
        ended(mine, run_id)
        for path in ("", "/outputs", "/steps/a/result", "/log", "/events", "/graph"):
            for known in (run_id, NOWHERE):
                answer = other.get(f"/runs/{known}{path}")
                assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), path
        for action in ("cancel", "retry", "rerun"):
            assert other.post(f"/runs/{run_id}/{action}").status_code == 404
        assert other.delete(f"/runs/{run_id}").status_code == 404
        assert other.get("/workflows/test/runs").json()["runs"] == []
        assert [seen["id"] for seen in everything.get("/workflows/test/runs").json()["runs"]] == [run_id]
        assert mine.get(f"/runs/{run_id}").json()["state"] == "succeeded"


@attack(
    threat="A key replaces the workflow of another, so that it does something else with the other's rights",
    control="Everybody runs a workflow; only the key that stored it first replaces or deletes it",
    file="containers/orchestrator/src/orchestrator/workflows/library.py",
)
def test_the_workflow_of_another_key_is_run_and_not_replaced(closed: Door) -> None:
    closed.services["nlp"].answer = answering(200, "application/json", b"{}")
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(closed.key("other", scopes=USUAL)) as other,
    ):
        assert put(mine).status_code == 201
        for answer in (put(other, NLP + "# mine\n"), other.delete("/workflows/test")):
            assert (answer.status_code, answer.json()["code"]) == (403, "workflow_of_another")
        assert ended(other, run(other))["state"] == "succeeded"
        assert mine.get("/workflows/test").json()["version"] == 1


@attack(
    threat="A key takes the name of a deleted workflow, which the schedule of another still runs with its own rights",
    control="The name of a deleted workflow stays its owner's, and no version is counted twice",
    file="containers/orchestrator/src/orchestrator/workflows/library.py",
)
def test_the_name_of_a_deleted_workflow_stays_its_owners(closed: Door) -> None:
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(closed.key("other", scopes=USUAL)) as other,
    ):
        put(mine, name="gone")
        assert mine.delete("/workflows/gone").status_code == 204
        assert mine.delete("/workflows/gone").json()["code"] == "workflow_not_found"
        assert mine.get("/workflows/gone").json()["code"] == "workflow_not_found"
        for answer in (put(other, name="gone"), other.delete("/workflows/gone")):
            assert (answer.status_code, answer.json()["code"]) == (403, "workflow_of_another")
        again = put(mine, name="gone")
        assert (again.status_code, again.json()["version"]) == (201, 2)


@attack(
    threat="A key reaches by a workflow what its scopes do not let it reach",
    control="A run needs the scopes of all its steps, when it is made and at each step",
    file=RIGHTS,
)
def test_a_run_needs_the_scopes_of_its_steps(closed: Door) -> None:
    with closed.client(closed.key("mine", scopes=USUAL)) as mine:
        put(mine, LLM)
        answer = mine.post("/workflows/test/runs")
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        put(mine, "steps:\n  a:\n    workflow: {name: test}\n", "around")
        seen = ended(mine, run(mine, "around"))
        assert seen["state"] == "failed"
        assert "not for llm" in json.dumps(seen["problem"])
        assert closed.services["llm"].seen == []
    with closed.client(closed.key("none", scopes=frozenset({Scope.NLP}))) as none:
        for path in ("/workflows", f"/runs/{NOWHERE}", "/workflows/test/graph"):
            assert none.get(path).json()["code"] == "scope_missing"


@attack(
    threat="A key for one model uses another one in a step",
    control="Each call of a step is judged as a call with the run's key would be",
    file=RIGHTS,
)
def test_a_step_takes_only_the_models_of_its_key(closed: Door) -> None:
    key = closed.key("mine", scopes=USUAL | {Scope.LLM}, models=frozenset({"small"}))
    with closed.client(key) as mine:
        put(mine, LLM.replace("prompt: hi", "prompt: hi, model: large"))
        seen = ended(mine, run(mine))
        assert "model_not_allowed" in json.dumps(seen["problem"])
        assert closed.services["llm"].seen == []


def test_a_step_pays_with_the_tokens_of_its_key(closed: Door) -> None:
    body = json.dumps({"id": "x", "usage": {"total_tokens": 1000}, "text": "y"}).encode()
    closed.services["llm"].answer = answering(200, "application/json", body)
    with closed.client(closed.key("mine", scopes=USUAL | {Scope.LLM}, tokens_per_minute=1000)) as mine:
        put(mine, LLM)
        assert ended(mine, run(mine))["state"] == "succeeded"
        refused = mine.post("/ai/llm/completion", json={"prompt": "hi", "max_tokens": 10})
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limit_exceeded")
        waits = run(mine)
        wait_until(lambda: mine.get(f"/runs/{waits}").json()["state"] == "running", "it waits for its tokens")
        assert len(closed.services["llm"].seen) == 1
        mine.post(f"/runs/{waits}/cancel")
        assert ended(mine, waits)["state"] == "cancelled"


@attack(
    threat="A key makes thousands of calls a minute with one request, by a workflow with `for_each`",
    control="Each call of a step is counted as a request of the run's key, and waits where there are none left",
    file=RIGHTS,
)
def test_the_calls_of_steps_are_requests_of_their_key(closed: Door) -> None:
    closed.services["nlp"].answer = answering(200, "application/json", b"{}")
    with (
        closed.client(closed.key("mine", scopes=USUAL, requests_per_minute=3)) as mine,
        closed.client(closed.key("all", scopes=USUAL | {Scope.ALL_JOBS})) as everything,
    ):
        put(mine, NLP.replace("    nlp", "    for_each: [1, 2, 3]\n    parallel: 1\n    nlp"))
        run_id = run(mine)

        def done() -> int:
            number: int = everything.get(f"/runs/{run_id}").json()["steps"][0]["items"]["succeeded"]
            return number

        wait_until(lambda: done() == 1, "the call that there was a request for")
        assert mine.get("/workflows").json()["code"] == "rate_limit_exceeded"
        everything.post(f"/runs/{run_id}/cancel")
        assert ended(everything, run_id)["state"] == "cancelled"
        assert len(closed.services["nlp"].seen) == 1


@attack(
    threat="A run goes on with the rights of a key that was revoked meanwhile",
    control="The key is looked up at each step",
    file=RIGHTS,
)
def test_a_run_whose_key_was_revoked_begins_no_further_step(closed: Door) -> None:
    """`b` fails until the key is known to be revoked, which may take a moment, and then for that."""

    async def revoking(exchange: Exchange) -> None:
        if len(closed.services["nlp"].seen) == 1:
            closed.store.revoke("mine")
        await exchange.read_body()
        await exchange.answer(422, "application/json", b"{}")

    closed.services["nlp"].answer = revoking
    everything = closed.key("all", scopes=USUAL | {Scope.ALL_JOBS})
    with (
        closed.client(closed.key("mine", scopes=USUAL)) as mine,
        closed.client(everything) as other,
    ):
        put(mine, NLP.replace("    nlp", "    retry: {attempts: 20, delay_s: 0.1, factor: 1}\n    nlp"))
        run_id = run(mine)
        wait_until(lambda: bool(other.get(f"/runs/{run_id}").json()["ended_at"]), "it ended")
        problem = other.get(f"/runs/{run_id}").json()["problem"]
        assert problem["code"] == "api_key_revoked"
        assert len(closed.services["nlp"].seen) < 20
