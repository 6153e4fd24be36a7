"""Each call of the API as a value: `client.run(call)` makes it now, `client.submit(call)` as a job.

client.submit(calls.sentiment("It works."))
"""

from ai_semble_client.calls.call import Call
from ai_semble_client.calls.data import (
    dataset,
    datasets,
    delete_dataset,
    download,
    process,
    profile,
    sql,
    upload,
)
from ai_semble_client.calls.environment import health
from ai_semble_client.calls.jobs import cancel, events, forget, job, job_page, job_result
from ai_semble_client.calls.llm import Message, complete, stream
from ai_semble_client.calls.nlp import (
    classify,
    embed,
    entities,
    keywords,
    language,
    matrix,
    nlp,
    pii,
    sentiment,
    similarity,
    summarize,
    tokenize,
)
from ai_semble_client.calls.vision import Picture, draw, read, see

__all__ = [
    "Call",
    "Message",
    "Picture",
    "cancel",
    "classify",
    "complete",
    "dataset",
    "datasets",
    "delete_dataset",
    "download",
    "draw",
    "embed",
    "entities",
    "events",
    "forget",
    "health",
    "job",
    "job_page",
    "job_result",
    "keywords",
    "language",
    "matrix",
    "nlp",
    "pii",
    "process",
    "profile",
    "read",
    "see",
    "sentiment",
    "similarity",
    "sql",
    "stream",
    "summarize",
    "tokenize",
    "upload",
]
