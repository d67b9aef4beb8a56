"""Which ports an edge listens on, and where a redirect or an origin's leg goes from one of them.

Law: HTTP's own ports stand for each other, 80 for 443 and 443 for 80, and no other two do.
Source: Cloudflare, "Network ports": the origin's port is the one the client used.
"""

from __future__ import annotations

import msgspec

_HTTP, _HTTPS = 80, 443


class Ports(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Listening ports, in the order they were given: `plain` for http, `tls` for https."""

    plain: tuple[int, ...] = ()
    tls: tuple[int, ...] = ()

    def authority(self, host: str, *, scheme: str) -> str:
        """`host` with the port that `scheme` is served on; without one where that goes without saying."""
        ports, usual = (self.tls, _HTTPS) if scheme == "https" else (self.plain, _HTTP)
        if not ports or usual in ports:
            return host
        return f"{host}:{ports[0]}"


def origin_port(edge_port: int, *, client_is_tls: bool, origin_is_tls: bool) -> int:
    """The port of the origin for a client that came to `edge_port`."""
    if client_is_tls and not origin_is_tls and edge_port == _HTTPS:
        return _HTTP
    if origin_is_tls and not client_is_tls and edge_port == _HTTP:
        return _HTTPS
    return edge_port
