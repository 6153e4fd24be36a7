"""References: what they become, and what they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.workflows.expressions import EvaluationFailed, is_true, render

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


def test_truth_is_that_of_jmespath() -> None:
    assert [is_true(value) for value in (None, False, "", [], {}, 0, 0.0, True, "no", [0], {"a": 1})] == [
        False
    ] * 5 + [True] * 6
