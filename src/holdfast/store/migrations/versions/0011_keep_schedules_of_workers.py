"""Keep when scripts are to run by themselves, and with what program versions and deployments were made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """There are no schedules yet; what there is of versions was made over the API."""
    for table in ("worker_versions", "worker_deployments"):
        op.add_column(table, sa.Column("client", sa.String(length=16), nullable=False, server_default="api"))
    op.create_table(
        "worker_schedules",
        sa.Column("script_id", sa.String(length=32), nullable=False),
        sa.Column("cron", sa.String(length=255), nullable=False),
        sa.Column("created_on", sa.BigInteger(), nullable=False),
        sa.Column("modified_on", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["script_id"], ["worker_scripts.id"], name=op.f("fk_worker_schedules_script_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("script_id", "cron", name=op.f("pk_worker_schedules")),
    )
