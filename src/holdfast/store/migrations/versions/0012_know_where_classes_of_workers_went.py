"""Know where Durable Object classes went that were renamed, or moved to another script."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Of those that were renamed before, bindings were changed with them."""
    op.add_column("worker_scripts", sa.Column("moved", _JSON, nullable=False, server_default="{}"))
