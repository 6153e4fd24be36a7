"""What a worker says, checked before the service acts on it.

A worker reads files of strangers with much native code, so the service takes it for hostile: the sandbox keeps
it in its folder, and what is here keeps the service from being led out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from ai_semble.schemas.data_parts import Output
from data_processor.errors import OperationCrashed


def check_inspected(inspected: Mapping[str, Any], lent: Mapping[str, str]) -> None:
    """A worker inspects only what its job asked for, and was lent unread: `lent` has the versions, by name.

    Raises OperationCrashed.
    """
    for name, found in inspected.items():
        if name not in lent or found["version"] != lent[name]:
            raise OperationCrashed(f"The process described a dataset it was not given: {name[:100]!r}")


def check_output(said: Mapping[str, Any], body: bytes) -> None:
    """A worker writes only the dataset that the request names, as it says. Raises OperationCrashed."""
    try:
        asked = Output.model_validate(orjson.loads(body)["output"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        raise OperationCrashed("The process wrote a dataset that nobody asked for") from error
    if (said["dataset"], said["format"], said["replace"]) != (asked.dataset, asked.format, asked.replace):
        raise OperationCrashed("The process wrote another dataset than was asked for")
