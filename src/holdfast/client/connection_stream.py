"""Follow the stream of WebSockets that open and close, over a WebSocket to the API.

Law 1: a stream that ends because the API restarts, or is lost, is opened again, after a pause that grows to LAST_RETRY_S; and
that something may have been missed meanwhile is said.
Law 2: a stream that is refused, or ended because it may not go on, is an error with the API's reason.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect

from holdfast import __version__
from holdfast.client.api.answer import Answer, ApiFailed, ApiRefused, JsonObject, envelope_of
from holdfast.client.api.connection import tls_context
from holdfast.client.api.options import ApiOptions
from holdfast.client.close_codes import explained
from holdfast.client.printable import printable
from holdfast.errors import UsageError

OPEN_LIMIT_S = 10.0
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0
# Longest message: one connection, whose path is at most the target of a request.
MAX_MESSAGE_BYTES = 1024 * 1024
# RFC 6455 §7.4.1, and the registry of close codes: it may go on elsewhere, or later.
_AGAIN = frozenset({1001, 1006, 1011, 1012, 1013})

Notice = Callable[[str], None]


def follow(
    options: ApiOptions,
    path: str,
    query: Mapping[str, str],
    *,
    what: str,
    notice: Notice,
    again: Callable[[], Mapping[str, str]] | None = None,
) -> Iterator[JsonObject]:
    """What the stream at `path` says, message by message, for good. `again` says with which query it is opened another time, where not with
    the same. Raises HoldfastError where it may not go on."""
    if options.token is None:
        raise UsageError("--token", None, "an API token, best in the environment as HOLDFAST_TOKEN")
    pause_s, has_begun = FIRST_RETRY_S, False
    while True:
        with ExitStack() as stack:
            asked = again() if has_begun and again is not None else query
            try:
                connection = stack.enter_context(_opened(options, _url(options, path, asked), what))
            except ApiFailed as error:
                if not has_begun:
                    raise
                notice(str(error))
            else:
                if has_begun:
                    notice("the stream goes on; what happened meanwhile is not known")
                has_begun, pause_s = True, FIRST_RETRY_S
                try:
                    yield from _messages(connection, what)
                except _EndedError as end:
                    notice(f"the stream has ended: {end}")
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LAST_RETRY_S)


def _url(options: ApiOptions, path: str, query: Mapping[str, str]) -> str:
    return f"ws{options.api.text.removeprefix('http')}{path}{'?' if query else ''}{urlencode(query)}"


class _EndedError(Exception):
    """The stream has ended, and may go on."""


def _messages(connection: ClientConnection, what: str) -> Iterator[JsonObject]:
    try:
        for message in connection:
            value = json.loads(message)
            if isinstance(value, dict):
                yield value
    except ValueError as error:
        raise ApiFailed(f"cannot {what}: the stream sent what is no JSON: {printable(str(error), limit=200)}") from None
    except ConnectionClosed as closed:
        _raise_for(closed, what)
    # The library ends the loop without an error after 1000 and 1001.
    raise _EndedError(explained(connection.protocol.close_code or 1005, connection.protocol.close_reason or ""))


def _raise_for(closed: ConnectionClosed, what: str) -> None:
    code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
    if code in _AGAIN:
        raise _EndedError(explained(code, reason)) from closed
    raise ApiRefused(f"cannot {what}: the stream was ended: {explained(code, reason)}", status=0) from closed


@contextmanager
def _opened(options: ApiOptions, url: str, what: str) -> Iterator[ClientConnection]:
    """The stream, until the block ends. Raises HoldfastError where there is none."""
    token = options.token.value if options.token is not None else ""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(
                connect(
                    url,
                    additional_headers={"Authorization": f"Bearer {token}"},
                    user_agent_header=f"holdfast/{__version__}",
                    ssl=_tls(options),
                    # A proxy of the environment is for the world outside; this machine is nearer than that.
                    proxy=None if options.api.is_local else True,
                    open_timeout=OPEN_LIMIT_S,
                    max_size=MAX_MESSAGE_BYTES,
                )
            )
        except InvalidStatus as refused:
            raise _refusal(refused.response, options, what) from None
        except (InvalidHandshake, WebSocketException, OSError, EOFError) as error:
            reason = printable(str(error) or type(error).__name__, limit=200)
            raise ApiFailed(f"cannot {what}: no stream at {options.api.text}: {reason} (HOLDFAST_API)") from error
        yield connection


def _refusal(response: Response, options: ApiOptions, what: str) -> Exception:
    def header(name: str) -> str:
        # A server may send one twice.
        return next(iter(response.headers.get_all(name)), "")

    answer = Answer(
        status=response.status_code,
        body=bytes(response.body or b""),
        url=options.api.text,
        content_type=header("Content-Type"),
        retry_after=header("Retry-After"),
    )
    try:
        envelope_of(answer, what=what)
    except (ApiRefused, ApiFailed) as error:
        return error
    return ApiFailed(f"cannot {what}: {options.api.text} answered {response.status_code} and opened no stream")


def _tls(options: ApiOptions) -> ssl.SSLContext | None:
    return tls_context(options) if options.api.text.startswith("https:") else None
