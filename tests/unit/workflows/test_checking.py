"""What is wrong with a workflow file is said with its line, and what is right is read as it is meant."""

from __future__ import annotations

import time
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_semble.schemas import data_parts, workflows
from orchestrator.workflows.checking import Faulty, check
from orchestrator.workflows.reading import Unreadable, read
from orchestrator.workflows.requests import request_faults
from tests.support.attacks import attack

CALL = "nlp: {task: language, text: hi}"


def faults(text: str, form: str = "yaml") -> list[tuple[int, str, str]]:
    """Line, code and field of each."""
    with pytest.raises(Faulty) as caught:
        check(dedent(text).strip().encode(), "toml" if form == "toml" else "yaml", "mine", request_faults)
    assert all(fault.message and fault.column for fault in caught.value.faults)
    return [(fault.line, fault.code, fault.field) for fault in caught.value.faults]


def hint(text: str) -> str:
    with pytest.raises(Faulty) as caught:
        check(dedent(text).strip().encode(), "yaml", "mine", request_faults)
    return caught.value.faults[0].hint


def test_every_mistake_in_references_and_requests_is_told_at_once() -> None:
    text = """\
        inputs:
          table: {type: dataset}
        steps:
          read:
            data:
              operation: sql
              quer: SELECT 1
          language:
            when: ${{ inputs.tabel }}
            after: [raed]
            nlp:
              task: language
              texts: ${{ steps.reed.result.records[*].text }}
          answer:
            on_failure: langauge
            llm:
              prompt: "About ${{ item }}"
              max_tokens: many
              stream: true
        outputs:
          all: ${{ steps.answer.result.text | nope(@) }}
          each: ${{ steps }}
    """
    assert faults(text) == [
        (5, "wrong_request", "steps.read.data.query"),
        (7, "wrong_request", "steps.read.data.quer"),
        (9, "unknown_input", "steps.language.when"),
        (10, "unknown_step", "steps.language.after.0"),
        (13, "unknown_step", "steps.language.nlp.texts"),
        (15, "unknown_step", "steps.answer.on_failure"),
        (17, "unknown_reference", "steps.answer.llm.prompt"),
        (18, "wrong_request", "steps.answer.llm.max_tokens"),
        (19, "wrong_value", "steps.answer.llm.stream"),
        (21, "unknown_function", "outputs.all"),
        (22, "unnamed_reference", "outputs.each"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", (1, "unreadable", "")),
        ("- 1", (1, "wrong_value", "")),
        ("steps: {}", (1, "wrong_value", "steps")),
        ("steps:\n\ta: 1", (2, "unreadable", "")),
        (f"steps:\n  a:\n    {CALL}\n    {CALL}", (4, "unreadable", "steps.a.nlp")),
        (f"steps:\n  a: &x\n    {CALL}\n  b: *x", (2, "unreadable", "steps.a")),
        (f"steps:\n  A-b:\n    {CALL}", (2, "wrong_name", "steps.A-b")),
        (f"steps:\n  fail:\n    {CALL}", (2, "wrong_name", "steps.fail")),
        (f"steps:\n  a:\n    {CALL}\n    wen: true", (4, "unknown_field", "steps.a.wen")),
        (f"steps:\n  a:\n    {CALL}\n    when: inputs.x", (4, "wrong_value", "steps.a.when")),
        (
            f"steps:\n  a:\n    {CALL}\n    retry: {{attempts: 0}}",
            (4, "wrong_value", "steps.a.retry.attempts"),
        ),
        ("steps:\n  a: {description: x}", (2, "wrong_value", "steps.a")),
        (f"steps:\n  a:\n    {CALL}\n    llm: {{prompt: x}}", (2, "wrong_value", "steps.a")),
        (f"name: other\nsteps:\n  a:\n    {CALL}", (1, "wrong_name", "name")),
        ("steps:\n  a:\n    workflow: {name: mine}", (3, "cycle", "steps.a.workflow.name")),
        (
            "steps:\n  a: {nlp: {task: language, text: '${{ steps.b.result }}'}}\n"
            "  b: {nlp: {task: language, text: '${{ steps.a.result }}'}}",
            (2, "cycle", "steps.a"),
        ),
        (
            f"inputs:\n  n: {{type: integer, default: x}}\nsteps:\n  a:\n    {CALL}",
            (2, "wrong_value", "inputs.n.default"),
        ),
        (
            "steps:\n  a:\n    nlp: {task: language, text: '${{ inputs. }}'}",
            (3, "bad_expression", "steps.a.nlp.text"),
        ),
        (
            "steps:\n  a:\n    nlp: {task: language, text: '${{ run.id'}",
            (3, "bad_expression", "steps.a.nlp.text"),
        ),
        ("[" * 100, (1, "unreadable", ".".join(["0"] * 41))),
        ("steps: !!python/object:os.system {}", (1, "unreadable", "steps")),
    ],
)
def test_a_mistake_has_its_line_code_and_field(text: str, found: tuple[int, str, str]) -> None:
    assert faults(text)[0] == found


def test_hints_name_what_was_probably_meant() -> None:
    assert (
        hint(f"steps:\n  read:\n    {CALL}\n    on_failure: raed\n  reads:\n    {CALL}")
        == "Did you mean `reads`?"
    )
    assert hint(f"steps:\n  a:\n    {CALL}\n    retri: {{}}") == "Did you mean `retry`?"
    assert "in quotes" in hint("steps:\n  a:\n    nlp: {text: ${{ inputs.x }}}")
    assert "`!(inputs.NAME)`" in hint(
        f"inputs: {{x: {{type: boolean}}}}\nsteps:\n  a:\n    when: ${{{{ !inputs.x }}}}\n    {CALL}"
    )


def test_yaml_is_that_of_version_1_2() -> None:
    source = read(
        b"a: no\nb: 0o7\nc: 1_000\nd: 2026-01-01\ne: '1'\nf: 1e3\ng: ~\nh: True\ni: -7\nj: .inf", "yaml"
    )
    assert source.document == {
        "a": "no",
        "b": "0o7",
        "c": "1_000",
        "d": "2026-01-01",
        "e": "1",
        "f": 1000.0,
        "g": None,
        "h": True,
        "i": -7,
        "j": ".inf",
    }


def test_toml_says_the_same_with_the_same_lines() -> None:
    text = """\
        [inputs.table]
        type = "dataset"

        [steps.read]
        on_failure = "reed"
        data.operation = "sql"
        data.query = "SELECT 1"

        [steps.language.nlp]
        task = "language"
        texts = "${{ steps.red.result }}"
    """
    assert faults(text, "toml") == [
        (5, "unknown_step", "steps.read.on_failure"),
        (11, "unknown_step", "steps.language.nlp.texts"),
    ]
    assert faults("[steps.a]\nnlp = {", "toml")[0][:2] == (2, "unreadable")


def test_steps_wait_for_those_that_they_refer_to() -> None:
    checked = check(
        dedent("""\
            inputs: {files: {type: array}}
            steps:
              read:
                for_each: ${{ inputs.files }}
                on_failure: mend
                vision: {task: ocr, image_url: "${{ item.url }}"}
              mend:
                nlp: {task: language, text: hi}
              both:
                after: [mend]
                when: ${{ length(steps.read.result[?state == 'x'].steps) > `0` }}
                nlp:
                  task: language
                  texts: ${{ [steps.read.result[0], inputs.files[?steps][]] | [] }}
            """).encode(),
        "yaml",
    )
    nodes = checked.graph.nodes
    assert (nodes["read"].needs, nodes["read"].goes_on, nodes["read"].parallel) == (frozenset(), True, 4)
    assert not nodes["mend"].needs
    assert set(nodes["mend"].guards) == {"read"}
    assert set(nodes["both"].needs) == {"read", "mend"}
    assert nodes["both"].has_when
    assert checked.graph.layers() == [["read"], ["mend"], ["both"]]


@attack(
    threat="A small file keeps whoever checks it busy for hours, or takes all memory",
    control="What is read of files is read in time and memory that grow with their length",
    file="containers/orchestrator/src/orchestrator/workflows/reading.py",
)
@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("toml", 'x = """\n[' + " " * 100_000 + '\n"""\n'),
        ("toml", ".".join(["a"] * 100_000) + " = 1"),
        ("toml", "[" + " . ".join(['"a b"'] * 20_000) + "]"),
        ("yaml", "steps:\n  a:\n    nlp: {task: language, text: '${{ " + "}}" * 5_000 + "'}"),
        ("yaml", "steps:\n  a:\n    nlp: {task: language, text: '${{ a || " + "}} a" * 5_000 + "'}"),
    ],
)
def test_a_file_is_checked_in_time_that_grows_with_its_length(form: str, text: str) -> None:
    started = time.process_time()
    assert faults(text, form)
    assert time.process_time() - started < 5


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="abz{}[]:,-#&*!|>'\"%@ \n\t${}0.", max_size=80).map(str.encode),
    )
)
def test_any_bytes_are_read_or_refused_with_a_place(text: bytes) -> None:
    for form in ("yaml", "toml"):
        try:
            read(text, "toml" if form == "toml" else "yaml")
        except Unreadable as error:
            assert error.fault.line >= 1
            assert error.fault.message


def test_the_name_of_a_dataset_is_what_the_data_processor_takes() -> None:
    assert workflows.DATASET_NAME == data_parts.DATASET_NAME
