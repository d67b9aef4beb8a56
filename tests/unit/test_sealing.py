"""`holdfast.sealing`: secrets at rest, and the key they are under."""

import base64
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import SetupError
from holdfast.sealing import (
    KEY_BYTES,
    KEY_VARIABLE,
    SealError,
    SealingKey,
    key_file,
    key_when_there,
    load_key,
    load_or_create_key,
)

KEY = SealingKey(bytes(KEY_BYTES))


@given(st.binary(max_size=200), st.text(max_size=40))
def test_what_was_sealed_is_opened(secret: bytes, purpose: str) -> None:
    assert KEY.open_sealed(KEY.seal(secret, purpose=purpose), purpose=purpose) == secret


def test_the_secret_is_not_in_what_is_sealed_and_no_two_are_alike() -> None:
    one, other = (KEY.seal(b"very secret indeed", purpose="a") for _ in range(2))
    assert b"secret" not in one
    assert one != other


@given(st.binary(max_size=200))
def test_bytes_that_were_not_sealed_are_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        KEY.open_sealed(data, purpose="a")


@given(st.integers(0, 60), st.integers(1, 255))
def test_one_changed_byte_is_noticed(at: int, change: int) -> None:
    sealed = bytearray(KEY.seal(b"x" * 40, purpose="a"))
    sealed[at] ^= change
    with pytest.raises(SealError):
        KEY.open_sealed(bytes(sealed), purpose="a")


def test_another_purpose_or_another_key_does_not_open_it() -> None:
    sealed = KEY.seal(b"x", purpose="a")
    for key, purpose in ((KEY, "b"), (SealingKey(b"1" * KEY_BYTES), "a")):
        with pytest.raises(SealError):
            key.open_sealed(sealed, purpose=purpose)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(SealingKey(b"k" * KEY_BYTES)) == "SealingKey(***)"


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    sealed = load_or_create_key(tmp_path / "data", {}).seal(b"x", purpose="a")
    assert key_file(tmp_path / "data").stat().st_mode & 0o777 == 0o600
    assert load_or_create_key(tmp_path / "data", {}).open_sealed(sealed, purpose="a") == b"x"
    assert os.listdir(tmp_path / "data") == ["secret.key"]  # noqa: PTH208  no draft is left


def test_many_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    keys: list[SealingKey] = []
    threads = [threading.Thread(target=lambda: keys.append(load_or_create_key(tmp_path, {}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert {key.open_sealed(keys[0].seal(b"x", purpose="a"), purpose="a") for key in keys} == {b"x"}


def test_a_key_from_the_environment_leaves_no_file(tmp_path: Path) -> None:
    given_key = base64.b64encode(b"e" * KEY_BYTES).decode()
    sealed = load_or_create_key(tmp_path, {KEY_VARIABLE: given_key}).seal(b"x", purpose="a")
    assert SealingKey(b"e" * KEY_BYTES).open_sealed(sealed, purpose="a") == b"x"
    assert not key_file(tmp_path).exists()


@pytest.mark.parametrize("text", ["", "short", "!" * 44, base64.b64encode(b"x" * 31).decode()])
def test_a_key_that_is_none_is_refused_by_the_name_of_its_place(tmp_path: Path, text: str) -> None:
    key_file(tmp_path).write_text(text)
    with pytest.raises(SetupError, match=r"secret\.key: expected 32 bytes in base64"):
        load_or_create_key(tmp_path, {})


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"secret\.key cannot be used: file exists"):
        load_or_create_key(tmp_path / "file", {})


def test_a_fingerprint_names_one_key_and_is_not_part_of_it() -> None:
    first, second = SealingKey(b"a" * KEY_BYTES), SealingKey(b"b" * KEY_BYTES)
    assert first.fingerprint == SealingKey(b"a" * KEY_BYTES).fingerprint
    assert first.fingerprint != second.fingerprint
    assert len(first.fingerprint) == 64
    assert (b"a" * KEY_BYTES).hex() not in first.fingerprint


def test_who_makes_no_key_leaves_none_behind_and_finds_the_one_that_is_made(tmp_path: Path) -> None:
    key = key_when_there(tmp_path, {})
    assert load_key(tmp_path, {}) is None
    assert key() is None
    assert not key_file(tmp_path).exists()
    made = load_or_create_key(tmp_path, {})
    found = key()
    assert found is not None
    assert found.fingerprint == made.fingerprint
    key_file(tmp_path).unlink()
    assert key() is found


def test_a_key_that_cannot_be_used_is_refused_at_once_and_later_counts_as_none(tmp_path: Path) -> None:
    key = key_when_there(tmp_path, {})
    key_file(tmp_path).write_text("no key")
    assert key() is None
    with pytest.raises(SetupError, match=r"secret\.key: expected 32 bytes in base64"):
        key_when_there(tmp_path, {})
