"""The proxies, one module each: how it is found, configured and started.

Rule 1: each is given what `Setting` says and nothing that favours it: the same threads, certificate, limits, no logs.
Rule 2: a configuration is what its documentation recommends for WebSockets, tuned where the default would hold it
back (connection limits, time-outs), and is written out here in full.
"""

from __future__ import annotations

from bench.proxies import envoy, haproxy, holdfast, nginx
from bench.proxies.proxy import Proxy, Setting

PROXIES: dict[str, Proxy] = {
    "holdfast": holdfast.Holdfast(),
    "nginx": nginx.Nginx(),
    "haproxy": haproxy.HAProxy(),
    "envoy": envoy.Envoy(),
}

__all__ = ["PROXIES", "Proxy", "Setting"]
