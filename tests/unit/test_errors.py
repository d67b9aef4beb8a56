"""Errors are sentences: one line, naming what is at fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import CertificateError, ConnectError, HoldfastError, ListenError, SetupError, UsageError, shown


def test_a_usage_error_says_what_was_expected_and_what_came() -> None:
    assert str(UsageError("--threads", "0", "a number from 1 to 64")) == (
        "--threads: expected a number from 1 to 64, got '0'"
    )
    assert str(UsageError("--key", None, "the file that goes with a.pem")) == (
        "--key: expected the file that goes with a.pem, got nothing"
    )


@pytest.mark.parametrize(
    ("kind", "status"),
    [(HoldfastError, 1), (ConnectError, 1), (SetupError, 2), (ListenError, 2), (CertificateError, 2)],
)
def test_an_error_knows_its_exit_status(kind: type[HoldfastError], status: int) -> None:
    assert kind("x").exit_status == status


@given(st.text())
def test_whatever_it_tells_an_error_is_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert len(str(HoldfastError(text)).splitlines()) <= 1
    assert len(str(UsageError("--x", text, "y")).splitlines()) == 1


def test_a_long_value_keeps_its_ends() -> None:
    text = shown("a" * 500 + "z" * 500)
    assert text.startswith("'aaa")
    assert text.endswith("zzz'")
    assert len(text) < 250
