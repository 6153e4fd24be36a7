"""What the routes are given by the application's lifespan."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from data_processor.processor import Processor


@dataclass(frozen=True)
class Desk:
    """The processor, and how long bodies may be."""

    processor: Processor
    max_body: int
    max_upload: int


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.data
    return desk
