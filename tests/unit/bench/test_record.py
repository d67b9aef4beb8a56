"""What is kept of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench import record
from bench.cases import CASES, Leg
from bench.errors import UnusableError
from bench.figures import Measurement


def test_a_record_has_every_measurement_and_the_table(tmp_path: Path) -> None:
    measurements = [
        Measurement(round=0, leg=Leg.TLS, case=CASES[0], proxy="nginx", figures={"cpu_us": 12.5}),
        Measurement(round=0, leg=Leg.TLS, case=CASES[0], proxy="envoy", failure="it fell over"),
    ]
    facts = {"machine": {"cpu": "A", "cores": 2}, "rounds": 5}
    raw, read = record.write(
        "2026-01-02-a",
        facts=facts,
        measurements=[record.flat(one) for one in measurements],
        markdown="| t |",
        directory=tmp_path / "new",
    )
    body = json.loads(raw.read_text(encoding="utf-8"))
    assert body["machine"] == {"cpu": "A", "cores": 2}
    assert body["measurements"] == [
        {
            "round": 0,
            "leg": "tls",
            "case": "relay-50-125",
            "proxy": "nginx",
            "figures": {"cpu_us": 12.5},
            "failure": None,
        },
        {
            "round": 0,
            "leg": "tls",
            "case": "relay-50-125",
            "proxy": "envoy",
            "figures": {},
            "failure": "it fell over",
        },
    ]
    assert read.read_text(encoding="utf-8") == "# 2026-01-02-a\n\n* machine: cpu A, cores 2\n* rounds: 5\n\n| t |\n"


def test_the_machine_is_described() -> None:
    facts = record.machine()
    assert facts["cores"] == os.cpu_count()
    assert all(facts[name] for name in ("cpu", "kernel", "python", "commit"))


@pytest.mark.parametrize("label", ["a", "first-run", "2"])
def test_a_label_may_be_a_part_of_a_file_name(label: str) -> None:
    assert record.check_label(label) == label


@pytest.mark.parametrize("label", ["../a", "A", "-a", "a b", "", "a" * 41])
def test_other_labels_are_refused(label: str) -> None:
    with pytest.raises(UnusableError, match="is no label"):
        record.check_label(label)
