"""Secrets of scripts are opened with the installation's key, or not at all."""

from pathlib import Path

import msgspec
import pytest

from holdfast.app.worker_secrets import unsealed
from holdfast.errors import SetupError
from holdfast.model.worker_script import ScriptVersion, secret_purpose
from holdfast.sealing import load_or_create_key

VERSION = ScriptVersion(key="0123456789ab", name="chat", version="v1", main="worker.py")


def test_secrets_are_opened_with_the_installations_key(tmp_path: Path) -> None:
    key = load_or_create_key(tmp_path, {})
    right = key.seal(b"hush", purpose=secret_purpose(VERSION.key, "TOKEN"))
    version = msgspec.structs.replace(VERSION, sealed_secrets={"TOKEN": right})
    assert unsealed(version, tmp_path, {}) == {"TOKEN": "hush"}


def test_without_secrets_no_key_is_needed(tmp_path: Path) -> None:
    assert unsealed(VERSION, tmp_path, {}) == {}


@pytest.mark.parametrize(
    ("has_key", "sentence"), [(False, "there is no sealing key"), (True, "its secret TOKEN cannot be read")]
)
def test_what_cannot_be_opened_is_a_sentence_without_the_secret(tmp_path: Path, has_key: bool, sentence: str) -> None:
    if has_key:
        load_or_create_key(tmp_path, {})
    version = msgspec.structs.replace(VERSION, sealed_secrets={"TOKEN": b"anything"})
    with pytest.raises(SetupError, match=sentence) as raised:
        unsealed(version, tmp_path, {})
    assert "anything" not in str(raised.value)
