"""The table, as Markdown that reads well in a terminal too: columns are padded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.cases import DECIDE_TARGET, Kind, Leg, Target
from bench.figures import OURS, Row, verdict

_LEGS = {Leg.PLAIN: "ws", Leg.TLS: "wss"}


def table(rows: Sequence[Row], proxies: Sequence[str], *, decide_us: float | None) -> str:
    """All rows; Holdfast first, then its peers, as `proxies` orders them. Ends without a newline."""
    order = sorted(proxies, key=lambda proxy: proxy != OURS)
    head = ["leg", "load", "figure", *order, "ours / best peer", "target", ""]
    body = [_cells(row, order) for row in rows]
    if decide_us is not None:
        body.append(_decide_cells(decide_us, len(order)))
    return markdown(head, body, right=range(3, 3 + len(order)))


def _cells(row: Row, order: Sequence[str]) -> list[str]:
    ratio = "" if row.ratio is None else f"{row.ratio:.3f} ({row.best_peer})"
    target = "" if row.target is None else _target(row.target, row.figure.unit)
    figure = f"{row.figure.title}, {row.figure.unit}"
    values = [_value(row, proxy) for proxy in order]
    return [_LEGS[row.leg], load(row), figure, *values, ratio, target, row.verdict or ""]


def load(row: Row) -> str:
    """What was done, for a person."""
    case = row.case
    match case.kind:
        case Kind.RELAY | Kind.PACED:
            size = f"{case.message_bytes // 1024} KiB" if case.message_bytes >= 1024 else f"{case.message_bytes} B"
            return f"{case.connections:,} conns, {size}"
        case Kind.UPGRADE:
            return "new connections"
        case Kind.IDLE:
            return f"{case.connections:,} idle"


def _value(row: Row, proxy: str) -> str:
    failures = row.failures.get(proxy, 0)
    told = f" ({failures} failed)" if failures else ""
    if proxy not in row.medians:
        return f"-{told}"
    return f"{row.medians[proxy]:,.{row.figure.digits}f}{told}"


def _target(target: Target, unit: str) -> str:
    return f"<= {target.ratio:.2f}" if target.ratio is not None else f"<= {target.value:,.0f} {unit}"


def _decide_cells(decide_us: float, proxies: int) -> list[str]:
    values = [f"{decide_us:.2f}", *[""] * (proxies - 1)]
    return [
        "",
        "catch-all zone",
        "decide, µs",
        *values,
        "",
        _target(DECIDE_TARGET, "µs"),
        verdict(DECIDE_TARGET, decide_us, None),
    ]


def markdown(head: Sequence[str], body: Sequence[Sequence[str]], *, right: range) -> str:
    """A table whose columns are padded; those of `right` are aligned so."""
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(head))]
    rule = [("-" * (width - 1) + ":") if column in right else "-" * width for column, width in enumerate(widths)]
    return "\n".join(_line(line, widths, right) for line in (head, rule, *body))


def _line(cells: Sequence[str], widths: Sequence[int], right: range) -> str:
    padded = [
        cell.rjust(width) if column in right else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
