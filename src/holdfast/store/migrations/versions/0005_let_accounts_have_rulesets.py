"""Let accounts have rulesets, keep old versions of rulesets, and know permission groups by the original's ids."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

# Two groups had ids that are not the original's; one of them was that of another group.
_RENAMED = {
    "5cf36a5a8aed4c1fb5a8a1b9f2bb1c1f": "7b32a91ece3140d4b3c2c56f23fc8e35",
    "4ec32dfcb35641c5bb32d5ef1ab963b4": "a4308c6855c84eb2873e01b6cc85cbb3",
}
# Groups that are new, for policies that allow everything that there was: all the groups on the left. A token that also denies
# something was not for everything, and what it denies may be what a new group would allow.
_ZONE = """c8fed203ed3043cba015a93ad1616f1f e6d2666161e84845a636613608cee8d5 517b21aee92c4d89936c976ba6e4be55
    3030687196b94b638145a3953da2b699 82e64a83756745bbbb1c9c2701bf816b 4755a26eedb94da69e1066d98aa820be
    7b7216b327b04b8fbc8f524e1f9b7531 c03055bc037c4ea9afb9a9f104b7b721 7b32a91ece3140d4b3c2c56f23fc8e35
    a4308c6855c84eb2873e01b6cc85cbb3 9c88f9c5bce24ce7af9a958ba9c504db"""
_NEW_OF_ZONE = """dbc512b354774852af2b5a5f4ba3d470 fb6778dc191143babbfaa57993f1d275 4ec32dfcb35641c5bb32d5ef1ab963b4
    43137f8d07884d3198dc0ee77ca6e79b"""
_ACCOUNT = """c1fde68c7bcc44588cbb6ddbc16d6480 1af1fa2adc104452b74a9a3364202f20 eb56a6953c034b9d97dd838155666f06
    5bc3f8b21c554832afc660159ab75fa4 b05b28e839c54467a7d6cba5d3abb5a3 7cf72faf220841aabcfdfab81c43c4f6
    6c80e02421494afc9ae14414ed442632"""
_NEW_OF_ACCOUNT = """56b2af4817c84ad99187911dc3986c23 cde8c82463b6414ca06e46b9633f52a6 fb39996ee9044d2a8725921e02744b39
    56907406c3d548ed902070ec4df0e328 4f1071168de8466e9808de86febfc516 2edbf20661fd4661b0fe10e9e12f485c
    de7a688cc47d43bd9ea700b467a09c96 a416acf9ef5a4af19fb11ed3b96b1fe6 f3604047d46144d2a3e9cf4ac99d7f16"""
_GROWN = (
    (frozenset(_ZONE.split()), _NEW_OF_ZONE.split()),
    (frozenset(_ACCOUNT.split()), _NEW_OF_ACCOUNT.split()),
)


def upgrade() -> None:
    """Rulesets stay as they are, without versions before. A token means what it meant; one for everything, which denies nothing,
    stays one."""
    op.add_column("accounts", sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("rulesets") as table:
        table.alter_column("zone_id", existing_type=sa.String(length=32), nullable=True)
        table.add_column(sa.Column("account_id", sa.String(length=32), nullable=True))
        table.create_foreign_key(op.f("fk_rulesets_account_id"), "accounts", ["account_id"], ["id"], ondelete="CASCADE")
        table.create_check_constraint("ck_rulesets_owner", "(zone_id IS NULL) <> (account_id IS NULL)")
        table.create_index(op.f("ix_rulesets_account_id_phase"), ["account_id", "phase"], unique=False)
    op.create_table(
        "ruleset_versions",
        sa.Column("ruleset_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rules", _JSON, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ruleset_id"], ["rulesets.id"], name=op.f("fk_ruleset_versions_ruleset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ruleset_id", "version", name=op.f("pk_ruleset_versions")),
    )
    _rewrite_policies()


def _rewrite_policies() -> None:
    tokens = sa.table("tokens", sa.column("id", sa.String), sa.column("policies", _JSON))
    connection = op.get_bind()
    for token_id, policies in connection.execute(sa.select(tokens.c.id, tokens.c.policies)).all():
        may_grow = all(policy["effect"] == "allow" for policy in policies)
        rewritten = [{**policy, "permission_groups": _groups(policy, may_grow=may_grow)} for policy in policies]
        if rewritten != policies:
            connection.execute(sa.update(tokens).where(tokens.c.id == token_id).values(policies=rewritten))


def _groups(policy: dict[str, Any], *, may_grow: bool) -> list[str]:
    groups = [_RENAMED.get(group, group) for group in policy["permission_groups"]]
    if may_grow:
        for before, new in _GROWN:
            if before <= set(groups):
                groups += new
    return groups
