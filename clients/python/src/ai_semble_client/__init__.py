"""Client of Ai-semble: language model, vision, text, data and jobs."""

from ai_semble_client import answers, calls, errors
from ai_semble_client.async_client import AsyncClient, AsyncJobHandle
from ai_semble_client.client import Client, JobHandle
from ai_semble_client.errors import AiSembleError, ProblemError
from ai_semble_client.retrying import Backoff
from ai_semble_client.settings import Settings
from ai_semble_client.streams import AsyncTextStream, TextStream

__version__ = "2.0.0"
__all__ = [
    "AiSembleError",
    "AsyncClient",
    "AsyncJobHandle",
    "AsyncTextStream",
    "Backoff",
    "Client",
    "JobHandle",
    "ProblemError",
    "Settings",
    "TextStream",
    "answers",
    "calls",
    "errors",
]
