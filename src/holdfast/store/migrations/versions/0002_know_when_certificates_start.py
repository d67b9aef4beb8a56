"""Know from when a certificate is valid, and find those that become valid or expire."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Those uploaded before were checked to be valid: 0 is long ago."""
    op.add_column("certificates", sa.Column("starts_on", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_certificates_starts_on"), "certificates", ["starts_on"], unique=False)
    op.create_index(op.f("ix_certificates_expires_on"), "certificates", ["expires_on"], unique=False)
