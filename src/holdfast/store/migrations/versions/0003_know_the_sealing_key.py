"""Know which key the secrets of this database are sealed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Of a database from before, the next start finds out which."""
    op.add_column("installation", sa.Column("key_fingerprint", sa.String(64), nullable=True))
