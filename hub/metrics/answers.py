"""Answers of an ASGI application, counted where they begin.

app = counting(app, lambda code: answered.update([code]))          # "200", "303", …
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def counting(app: ASGIApp, count: Callable[[str], None]) -> ASGIApp:
    """The same application; `count` hears each answer's status code."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(str(message["status"]))
            await send(message)

        await app(scope, receive, sending)

    return counted
