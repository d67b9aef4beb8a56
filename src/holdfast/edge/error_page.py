"""The page a browser gets for an error: client - edge - origin, and which of them it is.

Law 1: one file, no script, nothing fetched: it must show where the network is what broke.
Law 2: under MAX_PAGE_BYTES whatever it is given, and everything it is given is escaped.
"""

from __future__ import annotations

from string import Template
from typing import Protocol

# The page, and its longest host and reason at six bytes a character ("&quot;"). Precedent: the initial window of
# a TCP connection is about 14 KiB (RFC 6928), so the page never waits for a second round trip.
MAX_PAGE_BYTES = 8 * 1024

_NODES = (("client", "You", "Browser"), ("edge", "Edge", "Holdfast"), ("origin", "Origin", "Server"))
# The leg that is broken when the error is on that side: (before the edge, behind it).
_BROKEN_LEG = {"client": (True, False), "edge": (False, False), "origin": (False, True)}
_WHOSE = {
    "client": "The edge could not accept the request.",
    "edge": "The edge in front of this site could not go on.",
    "origin": "Your connection and the edge work; the server behind it did not answer as it should.",
}


class ErrorFacts(Protocol):
    """What the page shows; see `holdfast.edge.answers.Problem`."""

    @property
    def title(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def error_code(self) -> int: ...
    @property
    def side(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def ray_id(self) -> str: ...
    @property
    def timestamp(self) -> str: ...
    @property
    def retry_after(self) -> int | None: ...
    @property
    def what_to_check(self) -> tuple[str, ...]: ...


def error_page(facts: ErrorFacts) -> bytes:
    """The page as UTF-8, at most MAX_PAGE_BYTES."""
    page = _PAGE.substitute(
        code=facts.error_code,
        title=_escaped(facts.title),
        detail=_escaped(facts.detail),
        whose=_WHOSE[facts.side],
        road=_road(facts.side),
        host=_escaped(facts.host) or "(none)",
        ray=_escaped(facts.ray_id),
        time=_escaped(facts.timestamp.replace("T", " ").replace("Z", " UTC")),
        wait=f"Try again in {facts.retry_after} seconds." if facts.retry_after else "",
        checks="".join(f"<li>{_escaped(check)}</li>" for check in facts.what_to_check),
    )
    return page.encode()


def _road(side: str) -> str:
    """The three nodes and the two legs between them, the broken one marked by colour, sign and word."""
    legs = [_leg(is_broken) for is_broken in _BROKEN_LEG[side]]
    nodes = [_node(name, what, is_at_fault=key == side) for key, name, what in _NODES]
    return f"{nodes[0]}{legs[0]}{nodes[1]}{legs[1]}{nodes[2]}"


def _node(name: str, what: str, *, is_at_fault: bool) -> str:
    sign, state = ("✕", "Error") if is_at_fault else ("✓", "Working")
    if name == "Origin" and not is_at_fault:
        sign, state = "·", "Not involved"
    css = "node bad" if is_at_fault else "node"
    return f'<li class="{css}"><i aria-hidden="true">{sign}</i><b>{name}</b><span>{what}</span><em>{state}</em></li>'


def _leg(is_broken: bool) -> str:
    return f'<li class="leg{" bad" if is_broken else ""}" aria-hidden="true">{"✕" if is_broken else ""}</li>'


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$code: $title</title>
<style>
:root{color-scheme:light dark;--ink:#17202a;--soft:#5b6775;--paper:#f6f8fa;--card:#fff;--line:#d5dce3;--ok:#0f7b52;--bad:#c02434}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#98a5b3;--paper:#10161c;--card:#18212a;--line:#2d3945;--ok:#4cc38f;--bad:#ff7480}}
*{box-sizing:border-box}
body{margin:0;padding:6vh 1.25rem 3rem;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:44rem;margin:auto}
h1{margin:0 0 .35rem;font-size:clamp(1.5rem,4.5vw,2.1rem);line-height:1.2;letter-spacing:-.015em}
h1 small{display:block;margin-bottom:.5rem;color:var(--bad);font-size:.9rem;font-weight:600;letter-spacing:.03em}
p{margin:.5rem 0}
.soft,dt{color:var(--soft)}
.detail,dd{overflow-wrap:anywhere}
.detail{font-size:1.1rem}
ul.road{display:flex;align-items:flex-start;margin:2rem 0;padding:1.5rem 1rem;list-style:none;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
.node{flex:0 0 5.6rem;display:flex;flex-direction:column;align-items:center;text-align:center}
.node i{display:grid;place-items:center;width:2.75rem;height:2.75rem;margin-bottom:.5rem;border:2px solid var(--ok);border-radius:50%;color:var(--ok);font-style:normal;font-weight:700}
.node span{color:var(--soft);font-size:.85rem}
.node em{color:var(--ok);font-size:.85rem;font-style:normal}
.node.bad i{border-color:var(--bad);color:var(--bad)}
.node.bad em{color:var(--bad);font-weight:600}
.leg{flex:1;height:0;margin-top:1.3rem;border-top:2px solid var(--line);color:var(--bad);font-weight:700;line-height:0;text-align:center}
.leg.bad{border-top:2px dashed var(--bad)}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1.25rem;margin:1.5rem 0;font-size:.95rem}
dd{margin:0;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9rem}
details{border-top:1px solid var(--line);padding-top:1rem}
summary{cursor:pointer;font-weight:600}
@media(max-width:30rem){.node{flex-basis:4.4rem}ul.road{padding:1rem .4rem}}
</style>
<main>
<h1><small>Error $code</small>$title</h1>
<p class="detail">$detail</p>
<p class="soft">$whose $wait</p>
<ul class="road">$road</ul>
<dl><dt>Host</dt><dd>$host</dd><dt>Ray id</dt><dd>$ray</dd><dt>Time</dt><dd>$time</dd></dl>
<details><summary>If you run this site</summary><ul>$checks</ul></details>
</main>
</html>
""")


def _escaped(text: str) -> str:
    """As `html.escape`, whose module has half a megabyte of names of characters."""
    return text.translate(_ESCAPES)
