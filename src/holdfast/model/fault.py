"""What went wrong with a request that was to be forwarded, as the Rust core reports it.

Law: a fault is a value. What is answered for it is `holdfast.edge.answers`' alone.
"""

from __future__ import annotations

import msgspec

from holdfast.model.request import Request


class Fault(msgspec.Struct, frozen=True, gc=False):
    """One failed forward. Built by Rust with positional arguments: the order of the fields is part of the boundary.

    `status` is what to answer (429, 500, 502-504, 520-526, 530). `code` is what `cf-error-type` says: the status, or a
    1xxx: for the process of a Worker 1101 (500), which has failed, and 1102 (503), which took too long.
    `reason` is one sentence: what failed. `origin` is the origin's label, for logs; it never reaches a client. `kind` is
    "" for what the origin did, else which limit of the edge the request met, each worth another try later:
    "zone_connections" (503) and "address_connections" (429), the open WebSockets of the zone and of the client's address;
    "origin_busy" (503), the connections to the origin that were waited for.
    """

    status: int
    code: int
    reason: str
    origin: str
    request: Request
    kind: str = ""
