"""The table, as Markdown that reads well in a terminal too. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.table import markdown
from bench.workers.cases import OURS, PEER, Bound, Case, Effort, Figure, Target
from bench.workers.figures import Row

_HEAD = ["load", "figure", OURS, PEER, "ours / workerd", "target", ""]


def table(rows: Sequence[Row], effort: Effort) -> str:
    """All rows. Ends without a newline."""
    return markdown(_HEAD, [_cells(row, effort) for row in rows], right=range(2, 5))


def _cells(row: Row, effort: Effort) -> list[str]:
    unit = f", {row.figure.unit}" if row.figure.unit else ""
    return [
        load(row.case, effort),
        f"{row.figure.title}{unit}",
        _value(row, OURS),
        _value(row, PEER),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.figure.target is None else told(row.figure.target, row.figure),
        row.verdict or "",
    ]


def load(case: Case, effort: Effort) -> str:
    """What was done, for a person."""
    return {
        "broadcast": f"{effort.crowd:,} sockets",
        "loop": f"{effort.crowd:,} sockets",
        "wake": f"{effort.wakes:,} objects that sleep",
        "sleepers": f"{effort.sleepers:,} sockets of {effort.sleeping_objects:,} objects",
        "deploys": f"{effort.deploys:,} deployments",
    }.get(case.name, "1 socket")


def told(target: Target, figure: Figure) -> str:
    """A target, for a person."""
    match target.bound:
        case Bound.RATIO_AT_LEAST:
            return f">= {target.value:g}x"
        case Bound.RATIO_AT_MOST:
            return f"<= {target.value:g}x"
        case Bound.AT_MOST:
            return f"<= {target.value:g} {figure.unit}".strip()


def _value(row: Row, side: str) -> str:
    if side in row.medians:
        text = f"{row.medians[side]:,.{row.figure.digits}f}"
        failed = row.failures.get(side, 0)
        return f"{text} ({failed} failed)" if failed else text
    return "failed" if row.failures.get(side) else "-"
