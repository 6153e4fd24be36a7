"""Every operation that is passed through to a service: one table for the relay and the description."""

from __future__ import annotations

from orchestrator.operations.data import DATA_OPERATIONS
from orchestrator.operations.llm import LLM_OPERATIONS
from orchestrator.operations.nlp import NLP_OPERATIONS
from orchestrator.operations.operation import Operation
from orchestrator.operations.vision import VISION_OPERATIONS

OPERATIONS: tuple[Operation, ...] = (*LLM_OPERATIONS, *VISION_OPERATIONS, *NLP_OPERATIONS, *DATA_OPERATIONS)

__all__ = ["OPERATIONS", "Operation"]
