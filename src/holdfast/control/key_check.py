"""Whether the sealing key that was given is the one that the secrets of the database are sealed with.

Law 1: an installation has one key for good. The first start writes down which; a start with another one is refused, for
what it would seal nobody else could open, and what is sealed it cannot open itself.
Law 2: a key is made only where none has been used: beside a database that has one, a new key is a lost one.
Law 3: a database from before keys were written down knows its key by what that opens.
"""

from __future__ import annotations

from holdfast.errors import SetupError
from holdfast.sealing import KEY_VARIABLE, SealError, SealingKey, sealing_purpose
from holdfast.store import certificates, installation
from holdfast.store.database import Database

# How many certificates are tried where it is not written down which key they are sealed with: one may be damaged.
TRIED = 16

_WHERE_FROM = (
    f"put back the secret.key of the data directory that it was made with, or give its text in the environment variable "
    f"{KEY_VARIABLE}"
)


async def refuse_to_make_a_key(database: Database) -> None:
    """Raise SetupError where the database has secrets, or has been used with a key. StoreUnavailable where it is away."""
    async with database.read() as connection:
        known = await installation.key_fingerprint(connection)
        sealed = await certificates.some_sealed_keys(connection, limit=1)
    if known is not None or sealed:
        raise SetupError(f"the key that the database is sealed with is missing: {_WHERE_FROM}")


async def claim_key(database: Database, key: SealingKey) -> None:
    """Write down that the database is sealed with `key`, where nothing is written down yet.

    Raises SetupError where it is sealed with another, StoreUnavailable where it is away.
    """
    async with database.read() as connection:
        known = await installation.key_fingerprint(connection)
        sealed = await certificates.some_sealed_keys(connection, limit=TRIED) if known is None else []
    if known is None and (not sealed or any(_opens(key, *one) for one in sealed)):
        async with database.note() as connection:
            known = await installation.claim_key(connection, key.fingerprint)
    if known != key.fingerprint:
        raise SetupError(f"the database is sealed with another key than the one given here: {_WHERE_FROM}")


def _opens(key: SealingKey, certificate_id: str, sealed: bytes) -> bool:
    try:
        key.open_sealed(sealed, purpose=sealing_purpose(certificate_id))
    except SealError:
        return False
    return True
