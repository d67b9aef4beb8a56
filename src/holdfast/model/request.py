"""One request as the edge received it, and what is known of its TLS.

Law 1: nothing here is changed, trimmed or decoded beyond what a field says. What the client sent is what is here.
Law 2: the Rust core builds these with positional arguments, so the order of the fields is part of the boundary
(`_native.pyi`, ARCHITECTURE.md).

They are `msgspec.Struct`s, not frozen dataclasses: one is made for each request while the policy thread holds the GIL,
and a frozen dataclass pays an `object.__setattr__` a field (about ten times as long). `gc=False` keeps them out of the
cyclic collector: they hold strings and tuples of strings only, so they can be in no cycle.
"""

from __future__ import annotations

import msgspec


class TlsFacts(msgspec.Struct, frozen=True, gc=False):
    """What the client's TLS handshake settled.

    `version` is "TLSv1.2" or "TLSv1.3", `cipher` the suite's IANA name, `server_name` the SNI, "" if none was sent.
    """

    version: str
    cipher: str
    server_name: str


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request that reached the edge.

    `ray` is "<16 hex>-<colo>". `scheme` is "http" or "https", of the client's leg. `host` is lower case, without a port and a
    final dot, with the brackets of an IPv6 literal. `path` starts with "/" or is "*"; `query` comes without its "?".
    `headers` are as received, in order, their bytes read as latin-1; but `Host`, and the `Upgrade` of a handshake, are as the
    origin gets them: the authority of a target in absolute form, "websocket". `edge_port` is the port the client came to.
    `is_upgrade` says that this is a valid WebSocket opening handshake (RFC 6455 §4.2.1).
    `is_egress` says that a Worker's process asks (its `fetch`), and no client: then `client_ip` is "0.0.0.0", `client_port` and
    `edge_port` are 0, `scheme` is "http" and `tls` None, whatever is asked for; what is true is in `Holdfast-Egress`.
    """

    ray: str
    method: str
    scheme: str
    host: str
    path: str
    query: str
    version: str
    headers: tuple[tuple[str, str], ...]
    client_ip: str
    client_port: int
    edge_port: int
    tls: TlsFacts | None
    is_upgrade: bool
    is_egress: bool = False

    def header_values(self, name: str) -> tuple[str, ...]:
        """The values of every line called `name` (compared without case), in order; () if there is none."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)
