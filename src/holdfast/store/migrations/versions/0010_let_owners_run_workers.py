"""Let tokens that may do everything do what is new: run Workers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
# By the URN that a policy for all there is names: the groups that there were, and those that are new.
_EVERYTHING = {
    "com.cloudflare.api.account.zone.*": (
        {
            "c8fed203ed3043cba015a93ad1616f1f",
            "e6d2666161e84845a636613608cee8d5",
            "517b21aee92c4d89936c976ba6e4be55",
            "3030687196b94b638145a3953da2b699",
            "82e64a83756745bbbb1c9c2701bf816b",
            "4755a26eedb94da69e1066d98aa820be",
            "7b7216b327b04b8fbc8f524e1f9b7531",
            "c03055bc037c4ea9afb9a9f104b7b721",
            "7b32a91ece3140d4b3c2c56f23fc8e35",
            "a4308c6855c84eb2873e01b6cc85cbb3",
            "dbc512b354774852af2b5a5f4ba3d470",
            "fb6778dc191143babbfaa57993f1d275",
            "4ec32dfcb35641c5bb32d5ef1ab963b4",
            "43137f8d07884d3198dc0ee77ca6e79b",
            "9c88f9c5bce24ce7af9a958ba9c504db",
        },
        ("2072033d694d415a936eaeb94e6405b8", "28f4b596e7d643029c524985477ae49a"),
    ),
    "com.cloudflare.api.account.*": (
        {
            "c1fde68c7bcc44588cbb6ddbc16d6480",
            "1af1fa2adc104452b74a9a3364202f20",
            "eb56a6953c034b9d97dd838155666f06",
            "5bc3f8b21c554832afc660159ab75fa4",
            "b05b28e839c54467a7d6cba5d3abb5a3",
            "7cf72faf220841aabcfdfab81c43c4f6",
            "6c80e02421494afc9ae14414ed442632",
            "56b2af4817c84ad99187911dc3986c23",
            "cde8c82463b6414ca06e46b9633f52a6",
            "fb39996ee9044d2a8725921e02744b39",
            "56907406c3d548ed902070ec4df0e328",
            "4f1071168de8466e9808de86febfc516",
            "2edbf20661fd4661b0fe10e9e12f485c",
            "de7a688cc47d43bd9ea700b467a09c96",
            "a416acf9ef5a4af19fb11ed3b96b1fe6",
            "f3604047d46144d2a3e9cf4ac99d7f16",
        },
        (
            "1a71c399035b4950a1bd1466bbe4f420",
            "e086da7e2179491d91ee5f35b3ca210a",
            "05880cd1bdc24d8bae0be2136972816b",
        ),
    ),
}


def upgrade() -> None:
    """A token that allows everything in every account and zone, and denies nothing, goes on doing so. No other is allowed more."""
    tokens = sa.table("tokens", sa.column("id", sa.String), sa.column("policies", _JSON))
    connection = op.get_bind()
    for token_id, policies in connection.execute(sa.select(tokens.c.id, tokens.c.policies)).all():
        places = {urn: place for urn in _EVERYTHING if (place := _place(policies, urn)) is not None}
        if len(places) < len(_EVERYTHING) or any(policy["effect"] != "allow" for policy in policies):
            continue
        grown = list(policies)
        for urn, place in places.items():
            groups = grown[place]["permission_groups"]
            new = [group for group in _EVERYTHING[urn][1] if group not in groups]
            grown[place] = {**grown[place], "permission_groups": [*groups, *new]}
        if grown != policies:
            connection.execute(sa.update(tokens).where(tokens.c.id == token_id).values(policies=grown))


def _place(policies: list[dict[str, Any]], urn: str) -> int | None:
    """Where the policy is that names all the groups that there were, for all that `urn` means."""
    for place, policy in enumerate(policies):
        if policy["resources"].get(urn) == "*" and _EVERYTHING[urn][0] <= set(policy["permission_groups"]):
            return place
    return None
