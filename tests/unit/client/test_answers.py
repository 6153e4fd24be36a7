"""The client's answers and calls are those of the API."""

from __future__ import annotations

import inspect

import pytest
from pydantic import BaseModel

from ai_semble.schemas import data_answers, health, llm, vision
from ai_semble.schemas import jobs as server_jobs
from ai_semble.schemas import nlp as server_nlp
from ai_semble.schemas import nlp_answers as server_answers
from ai_semble.schemas import runs as server_runs
from ai_semble_client import AsyncClient, Client, answers, calls
from ai_semble_client.calls.call import Call
from ai_semble_client.errors import UnusableFile

PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (answers.Completion, llm.CompletionAnswer),
    (answers.CompletionEnd, llm.CompletionEnd),
    (answers.Usage, llm.Usage),
    (answers.VisionAnswer, vision.VisionResponse),
    (answers.Box, vision.Box),
    (answers.Label, vision.Label),
    (answers.Found, vision.DetectedObject),
    (answers.Face, vision.Face),
    (answers.Text, vision.Text),
    (answers.TextLine, vision.TextLine),
    (answers.Safety, vision.Safety),
    (answers.ImageInfo, vision.ImageInfo),
    (answers.Dataset, data_answers.DatasetDescription),
    (answers.Column, data_answers.ColumnInfo),
    (answers.Violation, data_answers.Violation),
    (answers.Job, server_jobs.Job),
    (answers.JobEvent, server_jobs.JobEvent),
    (answers.JobPage, server_jobs.JobPage),
    (answers.Progress, server_jobs.Progress),
    (answers.Workflow, server_runs.Workflow),
    (answers.WorkflowSummary, server_runs.WorkflowSummary),
    (answers.WorkflowVersion, server_runs.WorkflowVersion),
    (answers.Run, server_runs.Run),
    (answers.RunDetail, server_runs.RunDetail),
    (answers.RunPage, server_runs.RunPage),
    (answers.RunEvent, server_runs.RunEvent),
    (answers.StepRun, server_runs.StepRun),
    (answers.Items, server_runs.Items),
    (answers.Health, health.EnvironmentHealth),
    (answers.ServiceHealth, health.ServiceHealth),
    (answers.Model, health.ModelStatus),
    (answers.Sentiment, server_answers.Sentiment),
    (answers.Entities, server_answers.Entities),
    (answers.Entity, server_answers.Entity),
    (answers.Language, server_answers.Language),
    (answers.Keyword, server_answers.Keyword),
    (answers.Keywords, server_answers.Keywords),
    (answers.Summary, server_answers.Summary),
    (answers.Token, server_answers.Token),
    (answers.Tokens, server_answers.Tokens),
    (answers.Embedding, server_answers.Embedding),
    (answers.Similarity, server_answers.PairSimilarity),
    (answers.SimilarityMatrix, server_answers.SimilarityMatrix),
    (answers.Classification, server_answers.Classification),
    (answers.PiiFinding, server_answers.PiiFinding),
    (answers.PiiReport, server_answers.PiiReport),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda model: model.__name__)
def test_the_client_reads_what_the_server_answers(ours: type[BaseModel], theirs: type[BaseModel]) -> None:
    assert set(ours.model_fields) <= set(theirs.model_fields)
    needed = {name for name, field in ours.model_fields.items() if field.is_required()}
    always = {name for name, field in theirs.model_fields.items() if field.is_required()}
    assert needed <= always


def test_states_that_end_a_job_are_the_servers() -> None:
    assert {state.value for state in server_jobs.JobState if state.ended} == answers.jobs.ENDED
    assert {state.value for state in server_runs.RunState if state.ended} == answers.jobs.ENDED


def test_every_task_of_texts_is_a_method() -> None:
    methods = {"similarity", "matrix"} | {task.value for task in server_nlp.NlpTask}
    assert all(callable(getattr(client, name)) for client in (Client, AsyncClient) for name in methods)


def test_both_clients_have_the_same_methods() -> None:
    def methods(client: type) -> dict[str, str]:
        public = {name: value for name, value in vars(client).items() if name[0] != "_" and callable(value)}
        return {name: str(list(inspect.signature(value).parameters)) for name, value in public.items()}

    ours, theirs = methods(Client), methods(AsyncClient)
    assert ours.pop("close") == theirs.pop("aclose")
    assert ours == theirs


def test_a_method_shows_what_it_takes() -> None:
    assert str(inspect.signature(Client.similarity)) == (
        "(self, /, texts: 'Texts', other: 'str') -> 'NlpAnswer[Similarity]'"
    )
    assert Client.similarity.__doc__ == calls.similarity.__doc__


def test_labels_with_examples_are_sent_as_the_api_has_them() -> None:
    call = calls.classify("x", {"billing": ["Where is my invoice?"], "delivery": ["My parcel is late."]})
    assert call.json is not None
    assert server_nlp.ClassifyRequest.model_validate(call.json).labels


@pytest.mark.parametrize(
    "call",
    [
        calls.complete(
            [{"role": "user", "content": "x"}], max_tokens=3, schema={"type": "object"}, stop=["a"]
        ),
        calls.complete("x", raw=True, temperature=0, top_p=0.5, seed=1, model="m"),
    ],
)
def test_a_question_is_one_that_the_server_takes(call: Call[answers.Completion]) -> None:
    llm.CompletionRequest.model_validate(call.json)


def test_what_a_newer_server_adds_is_kept() -> None:
    told = answers.Usage.model_validate(
        {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "new": 3}
    )
    assert told.model_dump()["new"] == 3


def test_a_picture_that_is_not_there_is_told_before_anything_is_sent() -> None:
    with pytest.raises(UnusableFile, match=r"/nowhere\.png"):
        calls.see("/nowhere.png")


@pytest.mark.parametrize("name", ["a/b", "../jobs", "a?b", "a#b"])
def test_a_name_stays_in_its_place_of_the_address(name: str) -> None:
    assert calls.dataset(name).path.count("/") == 3
    assert not {"?", "#"} & set(calls.dataset(name).path)
    assert calls.job(name).path.count("/") == 2
