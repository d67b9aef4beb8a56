"""`bench.crs`: what it says where there is nothing to measure, and that it measures what there is."""

from pathlib import Path

import pytest

from bench import crs
from tests.unit.rules.seclang.core_rules import RULES, SETUP


def test_help_names_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        crs.main(["--help"])
    assert ended.value.code == 0
    assert "modsecurity-crs" in capsys.readouterr().out


def test_without_rules_it_ends_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crs.main([str(tmp_path / "none")]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("bench: DIR: expected a folder with rules (no such file or directory)")
    assert said.endswith("(`scripts/need bench` says what to install)")


def test_rules_of_a_folder_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crs-setup.conf").write_text(SETUP, encoding="utf-8")
    (tmp_path / "rules.conf").write_text(RULES, encoding="utf-8")
    (tmp_path / "words.data").write_bytes(b"a")
    monkeypatch.setattr(crs, "_peer", lambda _: None)
    figures = crs.crs_figures(tmp_path, calls=1, runs=1)
    assert (figures.release, figures.peer_us) == ("3.3.4", None)
    monkeypatch.setattr(crs, "crs_figures", lambda _: figures)
    assert crs.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("CRS 3.3.4, paranoia level 1, a browser's upgrade:")
