"""References: what they become, and what they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.workflows.expressions import BadExpression, compile_expression
from orchestrator.workflows.rendering import EvaluationFailed, Room, is_true, render
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
        ("${{ '}}' }} and ${{ inputs.n }}}}", "}} and 3}}"),
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


@attack(
    threat="A reference of a few bytes makes gigabytes of its inputs, or keeps a processor busy for hours",
    control="What references make is measured before more is made of it, and so are their steps",
    file="containers/orchestrator/src/orchestrator/workflows/rendering.py",
)
@pytest.mark.parametrize(
    "expression",
    [
        " | ".join(["[@, @]"] * 60),
        " | ".join(["[@, @][]"] * 60),
        " | ".join(["{a: @, b: @}"] * 60),
        "'aa' | " + " | ".join(["join('', [@, @])"] * 60),
        "'\"' | " + " | ".join(["to_string([@])"] * 60),
        "join(inputs.long, inputs.many)",
        "inputs.many[*].split('', `\"" + "x" * 5000 + '"`)',
        'map(&`"' + "x" * 9000 + '"`, inputs.many)',
        "inputs.many[*].[" + ", ".join(["@ == @"] * 1000) + "]",
        " == ".join([" | ".join(["[@, @]"] * 40)] * 2),
    ],
)
def test_no_reference_makes_more_than_there_is_room_for(expression: str) -> None:
    known = {"inputs": {"long": "x" * 100_000, "many": ["y"] * 20_000}}
    with pytest.raises(EvaluationFailed, match="more than 64 MiB"):
        render({"nlp": "${{ " + expression + " }}"}, known, room=Room(8 * 2**20))


def test_the_references_of_a_call_share_their_room() -> None:
    known = {"inputs": {"long": "x" * 2**20}}
    assert len(render(["${{ inputs.long }}"] * 10, known)) == 10
    with pytest.raises(EvaluationFailed, match="more than 64 MiB"):
        render(["${{ inputs.long }}"] * 100, known)


@pytest.mark.parametrize(
    "expression", ["||".join(["a"] * 1200), "|".join(["a"] * 2400), "!" * 5000, "[" * 5000]
)
def test_what_is_nested_too_deep_is_no_expression(expression: str) -> None:
    with pytest.raises(BadExpression):
        compile_expression(expression)
