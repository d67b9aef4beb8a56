"""Keep scripts of Workers, their versions, and which requests go to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """There are none yet."""
    _scripts()
    _versions()
    _deployments()
    _routes()
    _domains()


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.String(length=32), nullable=False)


def _scripts() -> None:
    op.create_table(
        "worker_scripts",
        _id(),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=12), nullable=False),
        sa.Column("version_id", sa.String(length=32), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("tags", _JSON, nullable=False),
        sa.Column("classes", _JSON, nullable=False),
        sa.Column("migration_tag", sa.Text(), nullable=False),
        sa.Column("created_on", sa.BigInteger(), nullable=False),
        sa.Column("modified_on", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_worker_scripts_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_scripts")),
        sa.UniqueConstraint("key", name=op.f("uq_worker_scripts_key")),
    )
    op.create_index(op.f("ix_worker_scripts_account_id_name"), "worker_scripts", ["account_id", "name"], unique=True)


def _versions() -> None:
    op.create_table(
        "worker_versions",
        _id(),
        sa.Column("script_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("settings", _JSON, nullable=False),
        sa.Column("secrets", _JSON, nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("etag", sa.String(length=64), nullable=False),
        sa.Column("author_email", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("created_on", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["script_id"], ["worker_scripts.id"], name=op.f("fk_worker_versions_script_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_versions")),
    )
    op.create_index(
        op.f("ix_worker_versions_script_id_number"), "worker_versions", ["script_id", "number"], unique=True
    )


def _deployments() -> None:
    op.create_table(
        "worker_deployments",
        _id(),
        sa.Column("script_id", sa.String(length=32), nullable=False),
        sa.Column("version_id", sa.String(length=32), nullable=False),
        sa.Column("author_email", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_on", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["script_id"], ["worker_scripts.id"], name=op.f("fk_worker_deployments_script_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_deployments")),
    )
    op.create_index(
        op.f("ix_worker_deployments_script_id_created_on"), "worker_deployments", ["script_id", "created_on"]
    )


def _routes() -> None:
    op.create_table(
        "worker_routes",
        _id(),
        sa.Column("zone_id", sa.String(length=32), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("script_id", sa.String(length=32), nullable=True),
        sa.Column("created_on", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_worker_routes_zone_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["script_id"], ["worker_scripts.id"], name=op.f("fk_worker_routes_script_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_routes")),
    )
    op.create_index(op.f("ix_worker_routes_zone_id_pattern"), "worker_routes", ["zone_id", "pattern"], unique=True)
    op.create_index(op.f("ix_worker_routes_script_id"), "worker_routes", ["script_id"])


def _domains() -> None:
    op.create_table(
        "worker_domains",
        _id(),
        sa.Column("zone_id", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("script_id", sa.String(length=32), nullable=False),
        sa.Column("created_on", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["zone_id"], ["zones.id"], name=op.f("fk_worker_domains_zone_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["script_id"], ["worker_scripts.id"], name=op.f("fk_worker_domains_script_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_domains")),
        sa.UniqueConstraint("host", name=op.f("uq_worker_domains_host")),
    )
    op.create_index(op.f("ix_worker_domains_zone_id"), "worker_domains", ["zone_id"])
    op.create_index(op.f("ix_worker_domains_script_id"), "worker_domains", ["script_id"])
