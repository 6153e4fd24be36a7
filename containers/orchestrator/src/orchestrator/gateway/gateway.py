"""Makes calls to services for whoever needs one: the relay for a waiting client, the jobs for nobody."""

from __future__ import annotations

from contextlib import AsyncExitStack

from orchestrator.fetcher.fetcher import Fetcher
from orchestrator.gateway import pictures, structure
from orchestrator.gateway.calls import Body, Call, Reply
from orchestrator.gateway.outward import Outward
from orchestrator.gateway.upstreams import Upstreams


class Gateway:
    """The upstreams, and what is done to a body on the way: its values are bounded, and a picture's URL is fetched."""

    def __init__(self, upstreams: Upstreams, fetcher: Fetcher) -> None:
        self.upstreams = upstreams
        self._fetcher = fetcher
        self.outward = Outward(fetcher)

    async def send(self, call: Call, body: Body = b"", *, silence_s: float | None = None) -> Reply:
        """As Upstreams.send; raises BodyTooLarge and the fetcher's errors too."""
        body = structure.bounded(call, body)
        if not pictures.may_name_a_url(call):
            return await self.upstreams.send(call, body, silence_s=silence_s)
        document = await pictures.whole(body)
        url = pictures.url_in(document)
        if url is None:
            return await self.upstreams.send(call, document, silence_s=silence_s)
        async with AsyncExitStack() as stack:
            picture = await stack.enter_async_context(self._fetcher.open(url, pictures.ACCEPTED_TYPES))
            call, body = pictures.as_multipart(call, document, picture)
            # When the service answers it has the picture, or does not want it: either way it can be let go.
            return await self.upstreams.send(call, body, silence_s=silence_s)
