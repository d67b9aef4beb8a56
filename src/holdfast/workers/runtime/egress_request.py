"""One request of user code on its way out: what it is, and the head by which the edge knows where it goes, for whom and how.

Law: the target is in absolute form, with the scheme `http`, for the socket knows no TLS; the URL's own scheme is in `Holdfast-Egress`, with
who asks and for whom.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Literal, cast

import h11
import msgspec

from holdfast.model.worker_egress import EGRESS_FIELD, NO_HOST, BoundCall, Egress, RequestContext, field_of
from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.web.url_parsing import UrlError, UrlRecord, parse

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it is sent. `url` has the scheme http or https; `length`: of a streamed body, where it is known."""

    method: str
    url: UrlRecord
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None
    is_upgrade: bool = False

    @property
    def can_be_repeated(self) -> bool:
        """Whether asking twice is as good as once."""
        is_replayable = self.body is None or isinstance(self.body, bytes)
        return self.method in _REPEATABLE and is_replayable and not self.is_upgrade


def head_of(outgoing: Outgoing, script: str, context: RequestContext | None, call: BoundCall | None) -> h11.Request:
    """Its head, as `script` asks: for the request of `context`, by a binding where it is a `call`. Raises NetworkError for what cannot be one."""
    url = replace(outgoing.url, fragment=None, username="", password="")
    scheme = cast("Literal['http', 'https']", url.scheme)
    told = field_of(
        Egress.of(_as_its_url_has_it(context), scheme=scheme, script=script, park=outgoing.is_upgrade, call=call)
    )
    fields = [(b"Host", url.authority().encode("ascii")), *outgoing.headers, *_framing(outgoing)]
    fields.append((EGRESS_FIELD.encode("ascii"), told.encode("ascii")))
    target = str(replace(url, scheme="http"))
    try:
        return h11.Request(method=outgoing.method, target=target, headers=fields)
    except h11.LocalProtocolError as error:
        raise NetworkError(f"The request cannot be sent: {error}") from error


def _as_its_url_has_it(context: RequestContext | None) -> RequestContext | None:
    """The host of the client in the one spelling that `fetch` gives a host: `127.1` and `[::ffff:7f00:1]` are addresses too."""
    if context is None:
        return None
    return msgspec.structs.replace(context, host=_spelled(context.host or NO_HOST))


@functools.lru_cache(maxsize=256)
def _spelled(host: str) -> str:
    try:
        return parse(f"http://{host}/").host or host
    except UrlError:  # nobody asks for that
        return host


def _framing(outgoing: Outgoing) -> list[tuple[bytes, bytes]]:
    length = len(outgoing.body) if isinstance(outgoing.body, bytes) else outgoing.length
    if outgoing.body is None:
        # RFC 9110 §8.6: where a body is expected, that there is none is said.
        return [(b"Content-Length", b"0")] if outgoing.method in {"POST", "PUT", "PATCH"} else []
    if length is None:
        return [(b"Transfer-Encoding", b"chunked")]
    return [(b"Content-Length", str(length).encode())]
