"""What one call asks of the host, and how it ended. Read on both sides of the wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson


@dataclass(frozen=True)
class Settings:
    """How llama.cpp loads a model. `context` is tokens a call may have; there are `slots` of them."""

    path: str
    name: str
    context: int
    slots: int
    threads: int
    batch: int
    cache_type: str
    gpu_layers: int

    def packed(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def unpacked(cls, data: bytes) -> Settings:
        return cls(**orjson.loads(data))


@dataclass(frozen=True)
class Loaded:
    """What the host found out while loading. `devices` are those that hold the model, and are measured."""

    devices: tuple[str, ...]
    context: int
    trained_context: int
    parameters: int
    quantisation: str

    def packed(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def unpacked(cls, data: bytes) -> Loaded:
        members = orjson.loads(data)
        return cls(**{**members, "devices": tuple(members["devices"])})


@dataclass(frozen=True)
class Order:
    """One call: `body` is llama.cpp's JSON, always with `stream`.

    `whole` asks for one merged answer instead of chunks; `reserve` is how many tokens are to be written
    at least; `tally` keeps the chunk that only counts tokens among those handed on.
    """

    chat: bool
    whole: bool
    tally: bool
    reserve: int
    body: bytes

    def packed(self) -> bytes:
        flags = self.chat | self.whole << 1 | self.tally << 2
        return bytes([flags]) + self.reserve.to_bytes(4, "little") + self.body

    @classmethod
    def unpacked(cls, data: bytes) -> Order:
        flags = data[0]
        return cls(
            chat=bool(flags & 1),
            whole=bool(flags & 2),
            tally=bool(flags & 4),
            reserve=int.from_bytes(data[1:5], "little"),
            body=data[5:],
        )


@dataclass(frozen=True)
class Refusal:
    """Why llama.cpp did not answer: its own kind of error and sentence, with what it counted."""

    kind: str
    message: str
    n_prompt_tokens: int = 0
    n_ctx: int = 0

    def packed(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def unpacked(cls, data: bytes) -> Refusal:
        return cls(**orjson.loads(data))


CONTEXT_EXCEEDED = "exceed_context_size_error"
INVALID = "invalid_request_error"
SERVER = "server_error"
CANCELLED = "cancelled"
