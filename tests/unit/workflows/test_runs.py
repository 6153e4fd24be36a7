"""Runs from their acceptance to their end, with everything that a step can say."""

from __future__ import annotations

from typing import Any

from tests.support.fake_service import wait_until
from tests.unit.workflows.conftest import DATA, LLM, NLP, Platform, echo

TWO = """\
    inputs:
      text: {type: string}
      again: {type: integer, default: 2}
    steps:
      first:
        nlp: {task: language, text: "${{ inputs.text }}"}
      second:
        nlp:
          task: language
          text: ${{ steps.first.result.result }} x${{ inputs.again }}
    outputs:
      all: ${{ [steps.first.result.result, steps.second.result.result] }}
      run: ${{ run.workflow }} ${{ run.version }}
    """
EACH = """\
    inputs:
      texts: {type: array}
    steps:
      each:
        for_each: ${{ inputs.texts }}
        parallel: 3
        on_failure: POLICY
        nlp: {task: language, text: "${{ index }} ${{ item.t }}"}
      after:
        nlp: {task: language, texts: "${{ steps.each.result[].result }}"}
    outputs:
      texts: ${{ steps.each.result[*].result }}
    """


def states(run: dict[str, Any]) -> dict[str, str]:
    return {name: step["state"] for name, step in run["steps"].items()}


def test_steps_are_run_in_their_order_and_see_each_other(here: Platform) -> None:
    run = here.result_of(TWO, text="hi")
    assert run["state"] == "succeeded", run
    assert run["outputs"] == {"all": ["hi", "hi x2"], "run": f"test {run['version']}"}
    assert run["progress"]["fraction"] == 1
    first = run["steps"]["first"]
    assert first["result"] == {"result": "hi"}
    assert first["started_at"] <= first["ended_at"] <= run["steps"]["second"]["started_at"]
    job = here.api.get(f"/jobs/{first['jobs'][0]}").json()
    assert (job["state"], job["service"]) == ("succeeded", "nlp")
    assert here.api.get(first["result_url"]).json() == {"result": "hi"}
    assert here.api.get(f"/runs/{run['id']}/outputs").json() == run["outputs"]


def test_for_each_keeps_the_order_and_its_bound(here: Platform) -> None:
    gate = here.hold(NLP)
    here.put(EACH.replace("POLICY", "fail"))
    run_id = here.run(texts=[{"t": letter} for letter in "abcdefg"])
    wait_until(lambda: gate.entered == 3, "three calls are made")
    wait_until(lambda: here.get(run_id)["steps"][0]["items"]["running"] == 3, "and written")
    here.answer(NLP, echo)
    gate.open()
    run = here.ended(run_id)
    assert run["state"] == "succeeded", run
    assert gate.entered == 3
    assert run["outputs"]["texts"] == ["3 d", "4 e", "5 f", "6 g"], "those behind the gate have no `result`"
    items = run["steps"]["each"]["items"]
    assert items == {"total": 7, "running": 0, "succeeded": 7, "failed": 0}
    assert here.api.get(f"/runs/{run_id}/steps/each/result?index=4").json() == {"result": "4 e"}


def test_no_items_are_an_empty_result(here: Platform) -> None:
    run = here.result_of(EACH.replace("POLICY", "fail"), texts=[])
    assert (run["state"], run["outputs"]) == ("succeeded", {"texts": []})
    assert run["steps"]["each"]["state"] == "succeeded"


def test_a_failed_item_fails_the_run_or_is_null(here: Platform) -> None:
    here.answer(NLP, lambda body: (422, "bad") if body.get("text") == "1 b" else {"result": "ok"})
    texts = [{"t": "a"}, {"t": "b"}, {"t": "c"}]
    run = here.result_of(EACH.replace("POLICY", "continue"), texts=texts)
    assert run["state"] == "succeeded", run
    assert run["outputs"]["texts"] == ["ok", "ok"], "a projection leaves out what is null"
    assert here.api.get(run["steps"]["each"]["result_url"]).json()[1] is None
    assert run["steps"]["each"]["problem"]["code"] == "bad"
    failed = here.result_of(EACH.replace("POLICY", "fail"), texts=texts)
    assert failed["state"] == "failed"
    assert (failed["problem"]["code"], failed["problem"]["step"]) == ("bad", "each")
    assert failed["steps"]["after"]["state"] == "pending"


def test_when_and_on_failure_decide_what_is_run(here: Platform) -> None:
    text = """\
        inputs:
          wanted: {type: boolean}
        steps:
          maybe:
            when: ${{ inputs.wanted }}
            nlp: {task: language, text: maybe}
          behind:
            nlp: {task: language, text: "${{ steps.maybe.result.result }}"}
          either:
            when: ${{ steps.maybe.state != 'failed' }}
            nlp: {task: language, text: "${{ steps.maybe.result.result || 'none' }}"}
          risky:
            on_failure: mend
            llm: {prompt: x}
          mend:
            nlp: {task: language, text: "${{ steps.risky.problem.code }}"}
          last:
            after: [mend]
            nlp: {task: language, text: last}
        outputs:
          either: ${{ steps.either.result.result }}
          mended: ${{ steps.mend.result.result }}
        """
    here.answer(LLM, lambda _: (422, "too_risky"))
    run = here.result_of(text, wanted=False)
    assert run["state"] == "succeeded", run
    assert states(run) == {
        "maybe": "skipped",
        "behind": "skipped",
        "either": "succeeded",
        "risky": "failed",
        "mend": "succeeded",
        "last": "succeeded",
    }
    assert run["outputs"] == {"either": "none", "mended": "too_risky"}
    here.answer(LLM, lambda _: {"text": "fine"})
    run = here.result_of(text, wanted=True)
    assert states(run) == {
        "maybe": "succeeded",
        "behind": "succeeded",
        "either": "succeeded",
        "risky": "succeeded",
        "mend": "skipped",
        "last": "skipped",
    }


def test_a_call_that_failed_is_made_again(here: Platform) -> None:
    left = [3]

    def answer(_: dict[str, Any]) -> Any:
        left[0] -= 1
        return (422, "not_yet") if left[0] else {"result": "at last"}

    here.answer(NLP, answer)
    run = here.result_of(
        """\
        steps:
          stubborn:
            retry: {attempts: 3, delay_s: 0.01}
            nlp: {task: language, text: hi}
        """
    )
    assert run["state"] == "succeeded", run
    assert run["steps"]["stubborn"]["attempts"] == 3
    log = here.api.get(f"/runs/{run['id']}/log").json()["events"]
    assert [event["number"] for event in log] == list(range(1, len(log) + 1))
    assert sum("Attempt" in event["message"] for event in log) == 2
    assert log[-1]["state"] == "succeeded"


def test_a_step_that_takes_too_long_fails_and_its_job_is_cancelled(here: Platform) -> None:
    gate = here.hold(NLP)
    run = here.result_of(
        """\
        steps:
          slow:
            timeout_s: 0.2
            nlp: {task: language, text: hi}
        """
    )
    assert run["state"] == "failed"
    assert run["problem"]["code"] == "step_timed_out"
    wait_until(lambda: gate.aborted == 1, "the service was told")
    job = run["steps"]["slow"]["jobs"][0]
    wait_until(lambda: here.api.get(f"/jobs/{job}").json()["state"] == "cancelled", "the job is cancelled")


def test_a_run_that_takes_too_long_fails(here: Platform) -> None:
    here.hold(NLP)
    run = here.result_of("timeout_s: 0.2\nsteps:\n  slow:\n    nlp: {task: language, text: hi}\n")
    assert (run["state"], run["problem"]["code"]) == ("failed", "step_timed_out")
    assert run["steps"]["slow"]["state"] == "cancelled"


def test_a_reference_without_a_value_fails_the_step_with_its_place(here: Platform) -> None:
    run = here.result_of(
        TWO.replace("${{ steps.first.result.result }} x", "${{ steps.first.result.nothing }} x"), text="hi"
    )
    assert (run["state"], run["problem"]["code"]) == ("failed", "bad_reference")
    assert "text: `steps.first.result.nothing` is null" in run["problem"]["detail"]


def test_for_each_takes_lists_alone_and_not_too_long_ones(here: Platform) -> None:
    text = """\
        inputs: {over: {type: object}}
        steps:
          each:
            for_each: ${{ inputs.over.it }}
            nlp: {task: language, text: hi}
        """
    assert here.result_of(text, over={"it": "abc"})["problem"]["code"] == "bad_for_each"
    assert here.result_of(text, over={"it": [1] * 1001})["problem"]["code"] == "bad_for_each"


def test_a_result_that_is_too_large_fails_the_step(here: Platform) -> None:
    here.answer(DATA, lambda _: {"rows": "x" * (4 * 2**20)})
    run = here.result_of("steps:\n  big:\n    data: {operation: sql, query: SELECT 1}\n")
    assert run["problem"]["code"] == "step_result_too_large"


def test_a_run_keeps_a_bounded_amount_and_shows_what_is_short(here: Platform) -> None:
    here.answer(DATA, lambda body: {"rows": "x" * body["limit"]})
    text = """\
        inputs: {sizes: {type: array}}
        steps:
          each:
            for_each: ${{ inputs.sizes }}
            data: {operation: sql, query: SELECT 1, limit: "${{ item }}"}
        outputs:
          lengths: ${{ steps.each.result[].length(rows) }}
        """
    long = here.result_of(text, sizes=[100_000, 1])
    assert long["outputs"] == {"lengths": [100_000, 1]}
    assert long["steps"]["each"]["result"] is None
    assert len(here.api.get(long["steps"]["each"]["result_url"]).json()[0]["rows"]) == 100_000
    most = here.result_of(text, sizes=[4_000_000] * 5)
    assert most["problem"]["code"] == "step_result_too_large"
    again = here.result_of(text, sizes=[4_000_000] * 4)
    assert again["state"] == "succeeded", "what a run had is given back at its end"


def test_a_workflow_is_a_step_of_another(here: Platform) -> None:
    here.put(TWO, "inner")
    run = here.result_of(
        """\
        steps:
          inner:
            for_each: [one, two]
            workflow:
              name: inner
              inputs: {text: "${{ item }}"}
        outputs:
          all: ${{ steps.inner.result[].all[] }}
        """
    )
    assert run["state"] == "succeeded", run
    assert run["outputs"] == {"all": ["one", "one x2", "two", "two x2"]}
    child = here.api.get(f"/runs/{run['steps']['inner']['jobs'][0]}").json()
    assert (child["parent"], child["workflow"]) == (run["id"], "inner")
    assert here.api.post(f"/runs/{child['id']}/retry").json()["code"] == "nothing_to_retry"


def test_workflows_that_call_each_other_without_end_stop(here: Platform) -> None:
    here.put("steps:\n  other:\n    workflow: {name: pong}\n", "ping")
    here.put("steps:\n  other:\n    workflow: {name: ping}\n", "pong")
    run = here.ended(here.run("ping"))
    assert run["state"] == "failed"
    assert run["problem"]["code"] == "subrun_failed"


def test_a_run_is_cancelled_and_goes_on_from_there(here: Platform) -> None:
    gate = here.hold(LLM)
    here.put(
        """\
        steps:
          done:
            nlp: {task: language, text: done}
          slow:
            after: [done]
            llm: {prompt: x}
          last:
            after: [slow]
            nlp: {task: language, text: last}
        """
    )
    run_id = here.run()
    wait_until(lambda: gate.entered == 1, "the slow step runs")
    assert here.api.post(f"/runs/{run_id}/retry").json()["code"] == "nothing_to_retry"
    assert here.api.delete(f"/runs/{run_id}").json()["code"] == "run_has_not_ended"
    assert here.api.post(f"/runs/{run_id}/cancel").status_code == 202
    run = here.ended(run_id)
    assert run["state"] == "cancelled"
    assert states(run) == {"done": "succeeded", "slow": "cancelled", "last": "pending"}
    wait_until(lambda: gate.aborted == 1, "the service was told")
    assert here.api.post(f"/runs/{run_id}/cancel").json()["state"] == "cancelled", "twice is as good as once"
    here.answer(LLM, lambda _: {"text": "fast"})
    assert here.api.post(f"/runs/{run_id}/retry").status_code == 202
    again = here.ended(run_id)
    assert (again["state"], again["tries"]) == ("succeeded", 2)
    assert [body["text"] for body in here.bodies(NLP)] == ["done", "last"], "what was done is not done again"
    assert here.api.post(f"/runs/{run_id}/cancel").json()["code"] == "run_has_ended"
    assert here.api.delete(f"/runs/{run_id}").status_code == 204
    assert here.api.get(f"/runs/{run_id}").json()["code"] == "run_not_found"


def test_a_failed_run_goes_on_within_its_sub_workflow(here: Platform) -> None:
    here.put(
        "steps:\n  one:\n    nlp: {task: language, text: one}\n  two:\n    after: [one]\n    llm: {prompt: x}\n",
        "inner",
    )
    here.put("steps:\n  sub:\n    workflow: {name: inner}\n")
    here.answer(LLM, lambda _: (422, "broken"))
    run = here.ended(here.run())
    assert run["problem"]["code"] == "subrun_failed"
    here.answer(LLM, lambda _: {"text": "mended"})
    here.api.post(f"/runs/{run['id']}/retry")
    again = here.ended(run["id"])
    assert again["state"] == "succeeded", again
    assert again["steps"]["sub"]["jobs"] == run["steps"]["sub"]["jobs"]
    log = here.api.get(f"/runs/{run['id']}/log").json()["events"]
    assert [event["number"] for event in log if event["state"] in ("failed", "succeeded")][-1] == len(log)
    assert [event["last"] for event in log] == [False] * (len(log) - 1) + [True], (
        "its first end was not the last"
    )
    assert [body["text"] for body in here.bodies(NLP)] == ["one"]


def test_a_rerun_takes_the_inputs_that_are_not_given_from_before(here: Platform) -> None:
    run = here.result_of(TWO, text="hi", again=7)
    here.put("steps:\n  other:\n    nlp: {task: language, text: new}\n")
    answer = here.api.post(f"/runs/{run['id']}/rerun", json={"inputs": {"text": "bye"}})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/runs/{answer.json()['id']}"
    again = here.ended(answer.json()["id"])
    assert again["outputs"]["all"] == ["bye", "bye x7"]
    assert again["version"] == run["version"]


def test_inputs_are_checked(here: Platform) -> None:
    here.put(TWO)
    answer = here.api.post("/workflows/test/runs", json={"inputs": {"txt": "hi", "again": "x"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_inputs")
    assert {error["field"] for error in answer.json()["errors"]} == {
        "inputs.txt",
        "inputs.text",
        "inputs.again",
    }


def test_the_same_idempotency_key_is_the_same_run(here: Platform) -> None:
    here.put(TWO)
    first, second, other = (
        here.api.post(
            "/workflows/test/runs", json={"inputs": {"text": text}}, headers={"Idempotency-Key": "k"}
        )
        for text in ("a", "a", "b")
    )
    assert first.json()["id"] == second.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_events_are_streamed_to_the_end(here: Platform) -> None:
    here.put(TWO)
    run_id = here.run(text="hi")
    with here.api.stream("GET", f"/runs/{run_id}/events") as answer:
        lines = list(answer.iter_lines())
    kinds = [line.partition(" ")[2] for line in lines if line.startswith("event:")]
    assert kinds[-1] == "end"
    assert set(kinds[:-1]) == {"log"}
    last = [line.partition(" ")[2] for line in lines if line.startswith("id:")][-1]
    rest = here.api.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": last})
    assert rest.status_code == 204
    for number in ("9" * 25, "9" * 5000, "-1", "x"):
        again = here.api.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": number})
        assert again.text.startswith("id: 1\n"), "what is no id of an event is from the beginning"


def test_values_that_are_nested_too_deep_are_refused_where_they_come_in(here: Platform) -> None:
    """Before, what wrote them as JSON broke: the run could not be looked at any more."""
    here.put("inputs: {x: {type: array}}\nsteps:\n  a:\n    nlp: {task: language, text: hi}\n")
    deep: list[Any] = []
    for _ in range(240):
        deep = [deep]
    for path in ("/workflows/test/runs", "/schedules/deep"):
        body = {"inputs": {"x": deep}, **({} if "runs" in path else {"workflow": "test", "cron": "@daily"})}
        refused = here.api.request("POST" if "runs" in path else "PUT", path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text
    here.answer(NLP, lambda _: {"result": deep})
    run = here.ended(here.run(x=[]))
    assert run["problem"]["code"] == "step_result_too_large"


def test_a_version_that_no_database_could_hold_is_refused(here: Platform) -> None:
    wrong = "steps:\n  a:\n    workflow: {name: other, version: '9223372036854775808'}\n"
    assert here.api.put("/workflows/test", content=wrong).json()["code"] == "invalid_workflow"
