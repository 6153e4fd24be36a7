"""References: what they become, and what they cannot."""

from __future__ import annotations

import time
from typing import Any

import pytest

from orchestrator.workflows.expressions import EvaluationFailed, is_true, render
from tests.support.attacks import attack

KNOWN: dict[str, Any] = {
    "inputs": {"n": 3, "name": "Ann", "none": None, "files": [{"u": "a"}, {"u": "b"}]},
    "steps": {
        "read": {"state": "succeeded", "result": {"records": [{"t": "x", "s": 1}, {"t": "y", "s": 5}]}}
    },
}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("${{ inputs.n }}", 3),
        ("  ${{ inputs.files }} ", [{"u": "a"}, {"u": "b"}]),
        ("n is ${{ inputs.n }}, ${{inputs.name}}!", "n is 3, Ann!"),
        ("${{ inputs.files[0] }} and", '{"u": "a"} and'),
        ("$ {{ }} ${ x } costs $5", "$ {{ }} ${ x } costs $5"),
        ("${{ inputs.missing.deeper }}", None),
        ("${{ steps.read.result.records[?s > `3`].t | [0] }}", "y"),
        ("${{ {a: {b: inputs.n}} }}", {"a": {"b": 3}}),
        ("${{ {a: {b: inputs.n}}}}", {"a": {"b": 3}}),
        (
            "${{ records({t: steps.read.result.records[*].t, n: [`1`, `2`]}) }}",
            [{"t": "x", "n": 1}, {"t": "y", "n": 2}],
        ),
        ("${{ from_json('{\"a\": [1]}').a }}", [1]),
        ("${{ split(',', 'a,b') }}", ["a", "b"]),
        ({"a": ["${{ inputs.n }}", 1, None, {"b": "${{ inputs.name }}"}]}, {"a": [3, 1, None, {"b": "Ann"}]}),
    ],
)
def test_a_reference_becomes_its_value(value: Any, becomes: Any) -> None:
    assert render(value, KNOWN) == becomes


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"nlp": {"text": "Hi ${{ inputs.none }}"}}, "nlp.text: `inputs.none` is null"),
        ("${{ join(',', inputs.n) }}", "join"),
        ("${{ records({a: [`1`], b: `[]`}) }}", "differ in length"),
        ("${{ records({a: `1`}) }}", "object of lists"),
        ("${{ from_json('{') }}", "not JSON"),
    ],
)
def test_what_cannot_be_worked_out_says_why(value: Any, why: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        render(value, KNOWN)
    assert why in str(caught.value)


DOUBLED = " | ".join(["[@, @]"] * 40)


@attack(
    threat="A short reference becomes a value of gigabytes, or is worked on for minutes",
    control="Every step of an evaluation is charged, and values are weighed before they become texts",
    file="containers/orchestrator/src/orchestrator/workflows/bounds.py",
)
@pytest.mark.parametrize(
    "expression",
    [
        f"inputs.name | {DOUBLED}",
        f"to_string(inputs.name | {DOUBLED})",
        "inputs.name | " + " | ".join(["[@, @][]"] * 40),
        "inputs.name | " + " | ".join(["join('', [@, @])"] * 40),
        "join('', inputs.long)",
        "length(inputs.many" + " | [?@ >= `0`]" * 40 + ")",
        "length(sort_by(inputs.many" + " | map(&@, @)" * 40 + ", &@))",
    ],
    ids=["shared", "written", "flat", "joined", "long", "slow", "sorted"],
)
def test_no_reference_takes_all_memory_or_all_time(expression: str) -> None:
    long = ["x" * 4_000_000] * 1000
    known = {"inputs": {"name": "Ann", "long": long, "many": list(range(100_000))}}
    begun = time.perf_counter()
    for text in (f"${{{{ {expression} }}}}", f"text: ${{{{ {expression} }}}}"):
        with pytest.raises(EvaluationFailed, match="too l"):
            render(text, known)
    assert time.perf_counter() - begun < 30


def test_truth_is_that_of_jmespath() -> None:
    assert [is_true(value) for value in (None, False, "", [], {}, 0, 0.0, True, "no", [0], {"a": 1})] == [
        False
    ] * 5 + [True] * 6
