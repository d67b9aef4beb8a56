"""Redirect between http and https where a zone's settings say so: `always_use_https`, and `ssl` off.

Law: a redirect keeps host, path and query, and repeats nothing else of the request.
"""

from __future__ import annotations

from urllib.parse import quote

from holdfast.edge.decision import Decision, Respond
from holdfast.edge.view import View
from holdfast.model.request import Request

# What may stand in a path or a query as it is (RFC 3986 §3.3, §3.4), and "%", which is there already.
_AS_IT_IS = "/?:@!$&'()*+,;=-._~%"


def redirect(request: Request, view: View) -> Decision | None:
    """http to https where the zone always uses it; https to http where it has none."""
    features = view.zone.features
    if request.scheme == "http":
        return _moved(request, view, "https") if features.always_https else None
    return _moved(request, view, "http") if features.never_https else None


def _moved(request: Request, view: View, scheme: str) -> Respond:
    path = quote(request.path if request.path != "*" else "/", safe=_AS_IT_IS, encoding="latin-1")
    query = f"?{quote(request.query, safe=_AS_IT_IS, encoding='latin-1')}" if request.query else ""
    is_literal = request.host.startswith("[") and request.host.endswith("]")
    host = quote(request.host, safe="[]:" if is_literal else "", encoding="latin-1")
    authority = view.snapshot.ports.authority(host, scheme=scheme)
    return Respond(301, (("Location", f"{scheme}://{authority}{path}{query}"), ("Cache-Control", "no-store")))
