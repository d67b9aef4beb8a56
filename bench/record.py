"""What is kept of a run: the machine, the versions, every measurement, the table."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.errors import UnusableError
from bench.figures import Measurement
from bench.generator import ROOT

RECORDS = ROOT / "bench" / "record"
MAX_LABEL = 40


def machine() -> dict[str, str | int]:
    """The facts a figure depends on."""
    return {
        "cpu": _cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _commit(),
    }


def check_label(label: str) -> str:
    """`label`, if it can be part of a file name. Raises UnusableError."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", label):
        raise UnusableError(f"{label!r} is no label: lower-case letters, digits and hyphens, 40 at most")
    return label


def write(
    stem: str,
    *,
    facts: Mapping[str, object],
    measurements: Sequence[Mapping[str, object]],
    markdown: str,
    directory: Path = RECORDS,
) -> tuple[Path, Path]:
    """Write STEM.json and STEM.md; their paths. `facts` is what the table cannot tell: machine, versions, options."""
    directory.mkdir(parents=True, exist_ok=True)
    raw, read = directory / f"{stem}.json", directory / f"{stem}.md"
    body = {**facts, "measurements": list(measurements)}
    raw.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    read.write_text(f"# {stem}\n\n{_facts_in_prose(facts)}\n\n{markdown}\n", encoding="utf-8")
    return raw, read


def flat(one: Measurement) -> dict[str, object]:
    """A measurement as a record keeps it."""
    return {**asdict(one), "case": one.case.name}


def _facts_in_prose(facts: Mapping[str, object]) -> str:
    return "\n".join(f"* {name}: {_told(value)}" for name, value in facts.items())


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(item)}" for name, item in value.items())
    return str(value)


def _cpu_model(cpuinfo: str) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _commit() -> str:
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
