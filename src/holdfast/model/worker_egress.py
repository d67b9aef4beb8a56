"""What an edge tells the process of a Worker about a request, and what the process tells an edge about one of its own.

Both are one header field: a map in MessagePack (so that what is not known here is passed over), in base64url without padding.

Law 1: the edge alone says `Holdfast-Context` and `Holdfast-Path`; a client's field of these names reaches no process.
Law 2: `Holdfast-Egress` is the word of the operator's own code, about requests of its own. It says how far a request may go, and is
believed for nothing that a client could gain by.
Law 3: whatever a field holds, reading it gives a value or raises ValueError, a sentence.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Literal, TypeVar

import msgspec

CONTEXT_FIELD = "Holdfast-Context"
EGRESS_FIELD = "Holdfast-Egress"
# The path as the zone's rules see it, where the request has another spelling: what the script sees, and so passes on. The edge's word, as the context is.
PATH_FIELD = "Holdfast-Path"
# On every answer to a call by a binding: who gives it, and what it is (`Outcome`). Not one of `Holdfast-*`, which no answer of a process
# may have on its way to another; a process that was called lets nobody else write it.
CALLED_FIELD = "X-Holdfast-Called"
# Longest field; a head has 32 KiB.
MAX_CHARS = 8_192

_KEY = re.compile(r"[0-9a-f]{12}")
_ENCODER = msgspec.msgpack.Encoder()
T = TypeVar("T")

# How many Workers may have led to one by requests and calls of their own. Precedent: the original's 16 (1019, "Compute server error").
MAX_DEPTH = 16

# `answer`: what user code answered; `exception`: what it raised; `unbegun`: the process makes room for another one, and has begun
# nothing of it; `unbound`: the edge knows of no such binding (yet); `refused`: the edge says no; `lost`: it got no answer.
Outcome = Literal["answer", "exception", "unbegun", "unbound", "refused", "lost"]


class BoundCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a process says of a request that is a call by one of its bindings, to another script (or to its own, through the door).

    `binding` is the binding's name in `env`: where that leads, the edge finds in what was deployed. `proof` says that the script is who
    it says it is (`data_dir.worker_caller_file`). `object_id`, 64 hex digits, is of a Durable Object, `object_name` what it was made
    from. `is_rpc`: the body is a call of a method (`holdfast.workers.remote`), not a request of user code. `cf` is `request.cf`.
    """

    binding: str
    proof: str
    object_id: str = ""
    object_name: str | None = None
    is_rpc: bool = False
    cf: dict[str, Any] = {}


class Called(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a request asks for that came by a binding of a script: an entrypoint of the called one ("" the default one), or an object of
    `class_name`. `caller` names the script that has the binding, for people; `props` are the binding's."""

    caller: str
    entrypoint: str = ""
    props: dict[str, Any] = {}
    class_name: str = ""
    object_id: str = ""
    object_name: str | None = None
    is_rpc: bool = False


# The host of the URL of a request that names none, as HTTP/1.0 lets it.
NO_HOST = "localhost"


class RequestContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of a request that goes to the process of a Worker (`Holdfast-Context`).

    `zone` is the zone's id, "" for the one zone of `holdfast up`; `script` the script's key. `scheme`, `host`, `port` (as its URL names
    it, 0 if that is not known) and `client_ip` are the client's; `tls_version` "" without TLS. `depth` counts the Workers that led here by requests of their own. `cf` is `request.cf`. `called`: another script asks, by a
    binding; None for a client, and for what a Worker fetches by the name of a host.
    """

    ray: str
    script: str
    zone: str = ""
    scheme: Literal["http", "https"] = "https"
    host: str = ""
    port: int = 0
    client_ip: str = ""
    tls_version: str = ""
    depth: int = 0
    cf: dict[str, Any] = {}
    called: Called | None = None


class Egress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a process says of a request of its own (`Holdfast-Egress`). `scheme` is that of the URL that it asks for.

    `script` is the script's key. `park` keeps the WebSocket that opens for it. `call`: it is for another script. All else is the context of the request that the Worker
    is answering, and empty where there is none (an alarm): `zone`, `host`, `port`, `ray`, `client_ip`, `depth`.
    """

    scheme: Literal["http", "https"]
    script: str
    park: bool = False
    zone: str = ""
    host: str = ""
    port: int = 0
    ray: str = ""
    client_ip: str = ""
    depth: int = 0
    call: BoundCall | None = None

    @classmethod
    def of(
        cls,
        context: RequestContext | None,
        *,
        scheme: Literal["http", "https"],
        script: str,
        park: bool = False,
        call: BoundCall | None = None,
    ) -> Egress:
        """What a Worker says that answers the request of `context`, or none."""
        if context is None:
            return cls(scheme=scheme, script=script, park=park, call=call)
        return cls(
            scheme=scheme,
            script=script,
            park=park,
            call=call,
            zone=context.zone,
            host=context.host,
            port=context.port,
            ray=context.ray,
            client_ip=context.client_ip,
            depth=context.depth,
        )


def field_of(value: RequestContext | Egress) -> str:
    """`value` as a header field has it."""
    return base64.urlsafe_b64encode(_ENCODER.encode(value)).decode().rstrip("=")


def read_context(field: str) -> RequestContext:
    """What a `Holdfast-Context` says. Raises ValueError."""
    return _read(field, RequestContext)


def read_egress(field: str) -> Egress:
    """What a `Holdfast-Egress` says. Raises ValueError."""
    found = _read(field, Egress)
    # It becomes part of a path.
    if not _KEY.fullmatch(found.script):
        raise ValueError("expected script to be 12 hexadecimal digits")
    return found


def _read(field: str, expected: type[T]) -> T:
    if len(field) > MAX_CHARS:
        raise ValueError(f"expected at most {MAX_CHARS} characters")
    try:
        raw = base64.b64decode(field + "=" * (-len(field) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=expected)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"expected MessagePack in base64url: {error}") from None
