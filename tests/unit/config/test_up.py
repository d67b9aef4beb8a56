"""`UpOptions`: defaults, parsing, and what must hold between options."""

import dataclasses
from pathlib import Path

import pytest

from holdfast.config.spellings import MAX_THREADS, SslMode, usable_cpus
from holdfast.config.up import UpOptions
from holdfast.errors import UsageError
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, spelling_of
from holdfast.model.origin_url import OriginUrl

ORIGIN: dict[str, Given] = {"origin": "http://127.0.0.1:9000"}


def test_an_origin_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    options = UpOptions.parse(ORIGIN)
    assert options == UpOptions(
        origin=OriginUrl(scheme="http", host="127.0.0.1", port=9000),
        listen=(ListenAddress("127.0.0.1", 8080),),
        tls_listen=(),
        cert=(),
        key=(),
        data_dir=Path("/srv/data/holdfast"),
        threads=usable_cpus(),
        log_file=None,
        origin_ca=None,
        ssl=SslMode.STRICT,
    )


def test_everything_can_be_given() -> None:
    options = UpOptions.parse(
        {
            **ORIGIN,
            "listen": ["127.0.0.1:0", "[::1]:0"],
            "tls_listen": ["0.0.0.0:8443"],
            "cert": ["a.pem", "b.pem"],
            "key": ["a.key", "b.key"],
            "data_dir": "/srv/d",
            "threads": "64",
            "log_file": "edge.log",
            "origin_ca": "ca.pem",
        }
    )
    assert options.listen == (ListenAddress("127.0.0.1", 0), ListenAddress("::1", 0))
    assert options.certificate_files == ((Path("a.pem"), Path("a.key")), (Path("b.pem"), Path("b.key")))
    assert (options.threads, options.data_dir, options.log_file) == (64, Path("/srv/d"), Path("edge.log"))


def test_no_plain_address_is_spelled_none() -> None:
    assert UpOptions.parse({**ORIGIN, "listen": ["none"], "tls_listen": ["127.0.0.1:8443"]}).listen == ()


@pytest.mark.parametrize(
    ("given", "flag", "said"),
    [
        ({"origin": "x:y"}, "ORIGIN", "a URL"),
        ({"listen": ["x"]}, "--listen", "ADDRESS:PORT"),
        ({"listen": ["none"]}, "--listen", "at least one address"),
        ({"listen": ["none", "127.0.0.1:1"]}, "--listen", "ADDRESS:PORT"),
        ({"tls_listen": ["x"]}, "--tls-listen", "ADDRESS:PORT"),
        ({"listen": ["127.0.0.1:1", "127.0.0.1:1"]}, "--listen", "each address once"),
        ({"listen": ["127.0.0.1:1"], "tls_listen": ["127.0.0.1:1"]}, "--listen", "each address once"),
        ({"threads": "0"}, "--threads", f"1 to {MAX_THREADS}"),
        ({"threads": "65"}, "--threads", f"1 to {MAX_THREADS}"),
        ({"threads": "-1"}, "--threads", f"1 to {MAX_THREADS}"),
        ({"threads": "two"}, "--threads", f"1 to {MAX_THREADS}"),
        ({"threads": "9" * 5000}, "--threads", f"1 to {MAX_THREADS}"),
        ({"cert": ["a.pem"], "tls_listen": ["127.0.0.1:1"]}, "--key", "goes with a.pem"),
        ({"key": ["a.key"], "tls_listen": ["127.0.0.1:1"]}, "--cert", "goes with a.key"),
        ({"cert": ["a.pem"], "key": ["a.key"]}, "--tls-listen", "since --cert is given"),
        ({"data_dir": ""}, "--data", "the path of"),
        ({"log_file": "a\0b"}, "--log", "the path of"),
        ({"ssl": "full", "origin_ca": "ca.pem"}, "--ssl", "since --origin-ca says whom to trust"),
        ({"ssl": "flexible"}, "--ssl", "expected strict or full, got 'flexible'"),
    ],
)
def test_what_cannot_hold_names_the_option(given: dict[str, Given], flag: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        UpOptions.parse({**ORIGIN, **given})
    assert caught.value.field == flag
    assert said in str(caught.value)


def test_free_ports_may_be_asked_for_more_than_once() -> None:
    options = UpOptions.parse({**ORIGIN, "listen": ["127.0.0.1:0", "127.0.0.1:0"], "tls_listen": ["127.0.0.1:0"]})
    assert len(options.listen) == 2


def test_a_path_in_the_home_directory_may_be_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert UpOptions.parse({**ORIGIN, "data_dir": "~/edge"}).data_dir == Path("/home/me/edge")


def test_each_field_has_one_spelling_and_no_two_share_one() -> None:
    flags = [spelling_of(field).flag for field in dataclasses.fields(UpOptions)]
    assert len(flags) == len(set(flags)) == 17
    assert all(spelling_of(field).help.endswith(".") for field in dataclasses.fields(UpOptions))
