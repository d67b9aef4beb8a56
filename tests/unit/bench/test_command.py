"""The command line: what ends it before anything is measured."""

from __future__ import annotations

import pytest

from bench import command
from bench.errors import MissingError
from bench.proxies import PROXIES


class Absent:
    """A proxy that is not installed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def version(self) -> str:
        raise MissingError(f"{self.name} is not installed (Debian's package {self.name}); it is left out")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--case", "relai"], "no case is named 'relai'"),
        (["--peers", "nginx,caddy"], "no peer is named 'caddy'"),
        (["--peers", "none", "--without-ours"], "no proxy is left to measure"),
        (["--record", "a/b"], "'a/b' is no label"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert sentence in told.err


def test_a_run_whose_peers_are_all_missing_names_their_packages_and_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("nginx", "haproxy"):
        monkeypatch.setitem(PROXIES, name, Absent(name))
    assert command.main(["--peers", "nginx,haproxy", "--without-ours"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "bench: nginx is not installed (Debian's package nginx); it is left out",
        "bench: haproxy is not installed (Debian's package haproxy); it is left out",
        "bench: no proxy is left to measure",
    ]


@pytest.mark.parametrize("rounds", ["0", "-1", "x"])
def test_rounds_are_a_positive_number(rounds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--rounds", rounds])
    assert ended.value.code == 2
    assert "--rounds" in capsys.readouterr().err


def test_help_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    assert "relay-2000-16384" in capsys.readouterr().out.replace("\n", "").replace(" ", "")


def test_every_proxy_is_known_by_its_own_name() -> None:
    assert {name: proxy.name for name, proxy in PROXIES.items()} == {name: name for name in PROXIES}
