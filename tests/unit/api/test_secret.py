"""`holdfast.api.secret`: long, of an alphabet that clients take, and known for ours by its checksum."""

import binascii
import re

import pytest

from holdfast.api.secret import new_secret


@pytest.mark.parametrize(("kind", "prefix"), [("user", "hfut_"), ("account", "hfat_")])
def test_a_secret_is_new_each_time_and_carries_its_checksum(kind: str, prefix: str) -> None:
    made = {new_secret(kind) for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert re.fullmatch(rf"{prefix}[A-Za-z0-9_-]{{48}}", secret)
        assert f"{binascii.crc32(secret[:-8].encode()):08x}" == secret[-8:]
