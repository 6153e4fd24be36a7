"""The process that runs llama.cpp: `python -m ai_services.llm.engines.llama.host DESCRIPTOR`.

It lives as long as the other end of the socket is open.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from ai_semble import programs
from ai_services.llm.engines.llama.generation import Generation
from ai_services.llm.engines.llama.loading import LoadFailed, find_devices, load
from ai_services.llm.engines.llama.order import SERVER, Loaded, Order, Refusal, Settings
from ai_services.llm.engines.llama.wire import Frame, Kind, Splitter

READ_BYTES = 65536


class Channel:
    """The host's end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._writing = threading.Lock()

    def frames(self) -> Iterator[Frame]:
        """What the service sends, until it goes away."""
        splitter = Splitter()
        while data := self._end.recv(READ_BYTES):
            yield from splitter.feed(data)

    def send(self, kind: Kind, call: int, payload: bytes) -> None:
        with self._writing:
            self._end.sendall(Frame(kind, call, payload).packed())


class Host:
    """Runs the calls that come in over a channel, each in a thread."""

    def __init__(self, server: Any, loaded: Loaded, slots: int, channel: Channel) -> None:
        self._server = server
        self._context = loaded.context
        self._channel = channel
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="call")
        self._running: dict[int, Generation] = {}

    def take(self, frame: Frame) -> None:
        """Begin or cancel a call."""
        if frame.kind is Kind.CALL:
            generation = Generation(Order.unpacked(frame.payload), self._context, self._emitter(frame.call))
            self._running[frame.call] = generation
            self._threads.submit(self._run, frame.call, generation)
        elif frame.kind is Kind.CANCEL and (running := self._running.get(frame.call)):
            running.cancel()

    def _run(self, call: int, generation: Generation) -> None:
        try:
            generation.run(self._server)
        finally:
            self._running.pop(call, None)

    def _emitter(self, call: int) -> Any:
        return lambda kind, payload: self._channel.send(kind, call, payload)


def main(descriptor: int) -> None:
    """Load what the first frame says, then serve calls until the service goes away. Returns when it fails."""
    # The service decides when to stop, though systemd and a terminal's Ctrl+C tell all its processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    frames = channel.frames()
    settings = Settings.unpacked(next(frames).payload)
    find_devices()
    if why_not := programs.give_up():
        sys.stderr.write(f"programs are not given up: {why_not}\n")
    try:
        server, loaded = load(settings)
    except LoadFailed as error:
        channel.send(Kind.FAILED, 0, Refusal(SERVER, str(error)).packed())
        return
    channel.send(Kind.READY, 0, loaded.packed())
    host = Host(server, loaded, settings.slots, channel)
    for frame in frames:
        host.take(frame)
    leave(0)  # here, since the server would wait for its threads when it goes out of scope


def leave(code: int) -> NoReturn:
    """End at once: there is nothing to save, and a hanging llama.cpp is not worth waiting for."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (BrokenPipeError, ConnectionResetError):
        leave(0)  # the service is gone, and nobody is left to tell
    except Exception:  # noqa: BLE001 - the top of the process: the service logs what is printed
        traceback.print_exc()
    leave(1)
