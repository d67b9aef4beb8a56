"""Find the audit entries of one zone, to forget the oldest of them."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """No entry changes."""
    op.create_index(op.f("ix_audit_log_zone_id_occurred_on"), "audit_log", ["zone_id", "occurred_on"], unique=False)
