"""What `decide` may return: a value the Rust core carries out.

Law 1: a decision is complete. The core adds framing, `Connection`, `Upgrade` and `Date`, and nothing of its own opinion.
Law 2: the set is closed. A new decision is added to `Decision`, and type checking finds each place that must handle it.

The fields are read by Rust by name: see `ForwardLike` and `RespondLike` in `holdfast._native`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from holdfast._native import Origin, TunnelOptions, WorkerTarget


class Forward(msgspec.Struct, frozen=True, gc=False):
    """Dial `origin`. The client's header fields go along, but for hop-by-hop ones and those named here (any case);
    then come `set_headers`, in order.

    `zone` is the id of the zone this counts for. TLS with the origin asks for `server_name`, and verifies it; "" leaves
    that to the origin. With `strip_upgrade` an upgrade is forwarded as the GET it would be without.
    `set_response_headers` replace fields of the final answer. An answer with one of `explain_statuses` is not passed on
    but told as a fault. `tunnel` is how the WebSocket is kept and bounded that an upgrade becomes; None for neither.
    `worker` says that `origin` is the process of this script, whose `Holdfast-Session` and `Holdfast-Pass` are believed.
    With `park` (of an egress request), the WebSocket that opens is kept for this script, which gets a token for it.
    """

    origin: Origin
    set_headers: tuple[tuple[str, str], ...] = ()
    remove_headers: tuple[str, ...] = ()
    zone: str = ""
    server_name: str = ""
    strip_upgrade: bool = False
    set_response_headers: tuple[tuple[str, str], ...] = ()
    explain_statuses: tuple[int, ...] = ()
    tunnel: TunnelOptions | None = None
    worker: WorkerTarget | None = None
    park: WorkerTarget | None = None


class Respond(msgspec.Struct, frozen=True, gc=False):
    """Answer without an origin. The core adds `Content-Length`, `Date`, `CF-Ray` and `Connection`.

    `zone` is the id of the zone this counts for, "" where there is none.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    zone: str = ""


Decision = Forward | Respond
