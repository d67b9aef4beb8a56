"""The tables. Moments are microseconds since 1970 (`holdfast.model.moment`), ids 32 hexadecimal digits.

Law: this is what the newest migration makes (`holdfast.store.migrations`), and a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

ID_CHARS = 32
_JSON = JSON().with_variant(JSONB(), "postgresql")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", String(ID_CHARS), primary_key=True)


def _zone(*, is_key: bool = False) -> Column[str]:
    return Column(
        "zone_id", String(ID_CHARS), ForeignKey("zones.id", ondelete="CASCADE"), primary_key=is_key, nullable=False
    )


def _moment(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


# One row. `source` names this database for good; `revision` counts its writes; `key_fingerprint` names the key that its
# secrets are sealed with (`SealingKey.fingerprint`), null until the first start.
INSTALLATION = Table(
    "installation",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("source", String(ID_CHARS), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("key_fingerprint", String(64)),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    _id(),
    Column("name", Text, nullable=False),
    _moment("created_on"),
    # Counts the changes of its rulesets and access rules.
    Column("version", BigInteger, nullable=False, server_default="0"),
)

USERS = Table(
    "users",
    METADATA,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    Column("first_name", Text),
    Column("last_name", Text),
    _moment("created_on"),
    _moment("modified_on"),
)

# Who belongs to an account. One role so far: its owner.
MEMBERS = Table(
    "members",
    METADATA,
    Column("account_id", String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", String(ID_CHARS), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
)

# `owner_kind` is "user" or "account". Of the secret only its SHA-256 is kept: it is 240 bits of chance, so no slow hash
# would make it harder to guess.
TOKENS = Table(
    "tokens",
    METADATA,
    _id(),
    Column("owner_kind", String(8), nullable=False),
    Column("owner_id", String(ID_CHARS), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(8), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("policies", _JSON, nullable=False),
    Column("condition", _JSON, nullable=False),
    _moment("issued_on"),
    _moment("modified_on"),
    _moment("last_used_on", nullable=True),
    _moment("not_before", nullable=True),
    _moment("expires_on", nullable=True),
    Index(None, "owner_kind", "owner_id", "issued_on"),
)

ZONES = Table(
    "zones",
    METADATA,
    _id(),
    Column("account_id", String(ID_CHARS), ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("plan", String(16), nullable=False),
    Column("paused", Boolean, nullable=False),
    # Counts the changes of the zone and of all that belongs to it.
    Column("version", BigInteger, nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
    Index(None, "account_id", "name"),
    Index(None, "created_on"),
)

ZONE_SETTINGS = Table(
    "zone_settings",
    METADATA,
    _zone(is_key=True),
    Column("id", String(64), primary_key=True),
    Column("value", _JSON, nullable=False),
    _moment("modified_on"),
)

DNS_RECORDS = Table(
    "dns_records",
    METADATA,
    _id(),
    _zone(),
    Column("name", Text, nullable=False),
    Column("type", String(8), nullable=False),
    Column("content", Text, nullable=False),
    Column("ttl", Integer, nullable=False),
    Column("proxied", Boolean, nullable=False),
    Column("comment", Text),
    Column("tags", _JSON, nullable=False),
    Column("settings", _JSON, nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
    _moment("comment_modified_on", nullable=True),
    _moment("tags_modified_on", nullable=True),
    Index(None, "zone_id", "name", "type", "content", unique=True),
)

# The private key is sealed (`holdfast.sealing`, purpose "certificate/<id>").
CERTIFICATES = Table(
    "certificates",
    METADATA,
    _id(),
    _zone(),
    Column("type", String(16), nullable=False),
    Column("bundle_method", String(16), nullable=False),
    Column("hosts", _JSON, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("chain_pem", Text, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("geo_restrictions", _JSON),
    Column("policy", Text),
    _moment("uploaded_on"),
    _moment("modified_on"),
    _moment("expires_on"),
    Column("starts_on", BigInteger, nullable=False, server_default="0"),
    Index(None, "zone_id", "priority"),
    Index(None, "starts_on"),
    Index(None, "expires_on"),
)

# Of a zone or of an account.
RULESETS = Table(
    "rulesets",
    METADATA,
    _id(),
    Column("zone_id", String(ID_CHARS), ForeignKey("zones.id", ondelete="CASCADE")),
    Column("account_id", String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE")),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("phase", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("rules", _JSON, nullable=False),
    _moment("last_updated"),
    Index(None, "zone_id", "phase"),
    Index(None, "account_id", "phase"),
    CheckConstraint("(zone_id IS NULL) <> (account_id IS NULL)", name="ck_rulesets_owner"),
)

# What a ruleset was before its last changes; what it is stands in `rulesets` alone. `size` is the length of its rules.
RULESET_VERSIONS = Table(
    "ruleset_versions",
    METADATA,
    Column("ruleset_id", String(ID_CHARS), ForeignKey("rulesets.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("description", Text, nullable=False),
    Column("rules", _JSON, nullable=False),
    Column("size", Integer, nullable=False),
    _moment("last_updated"),
)

# Lists that rules of an account name. `kind` is "ip", "hostname" or "asn"; `version` counts the changes of the list and of
# its items, `num_items` is how many it has.
LISTS = Table(
    "lists",
    METADATA,
    _id(),
    Column("account_id", String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("num_items", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
    Index(None, "account_id", "name", unique=True),
)

LIST_ITEMS = Table(
    "list_items",
    METADATA,
    _id(),
    Column("list_id", String(ID_CHARS), ForeignKey("lists.id", ondelete="CASCADE"), nullable=False),
    Column("value", Text, nullable=False),
    Column("comment", Text),
    _moment("created_on"),
    _moment("modified_on"),
    Index(None, "list_id", "value", unique=True),
)

# Changes of items that are asked for, under way and done. `status` is "pending", "running", "completed" or "failed".
LIST_OPERATIONS = Table(
    "list_operations",
    METADATA,
    _id(),
    Column("account_id", String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    _moment("created_on"),
    _moment("completed_on", nullable=True),
    Index(None, "account_id", "created_on"),
)

# IP access rules. `owner_kind` is "zone", "account" or "user"; `zone_id` is the owner where that is a zone, else null. An
# owner has one rule for each value.
ACCESS_RULES = Table(
    "access_rules",
    METADATA,
    _id(),
    Column("owner_kind", String(8), nullable=False),
    Column("owner_id", String(ID_CHARS), nullable=False),
    Column("zone_id", String(ID_CHARS), ForeignKey("zones.id", ondelete="CASCADE")),
    Column("mode", String(32), nullable=False),
    Column("target", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Column("notes", Text, nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
    Index(None, "owner_kind", "owner_id", "target", "value", unique=True),
    Index(None, "zone_id"),
)

# Managed rules that the operator loaded. `files` are their texts by name (`holdfast.store.managed`), each deflated.
MANAGED_DOCUMENTS = Table(
    "managed_documents",
    METADATA,
    _id(),
    Column("version", BigInteger, nullable=False),
    Column("release", Text, nullable=False),
    Column("files", LargeBinary, nullable=False),
)

# Scripts. `key` names a script's directory (`holdfast.model.data_dir`); `version_id` is the version that is deployed, `next_number`
# that of the next one. `classes` are its Durable Object classes, `migration_tag` the migration applied last.
WORKER_SCRIPTS = Table(
    "worker_scripts",
    METADATA,
    _id(),
    Column("account_id", String(ID_CHARS), ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("key", String(12), nullable=False, unique=True),
    Column("version_id", String(ID_CHARS), nullable=False),
    Column("next_number", Integer, nullable=False),
    Column("tags", _JSON, nullable=False),
    Column("classes", _JSON, nullable=False),
    Column("moved", _JSON, nullable=False, server_default="{}"),
    Column("migration_tag", Text, nullable=False),
    _moment("created_on"),
    _moment("modified_on"),
    Index(None, "account_id", "name", unique=True),
)

# Versions of scripts, which never change. `settings` is all but the code (`holdfast.store.worker_scripts`), `secrets` are sealed
# (purpose "worker/<key>/<name>"), `files` the modules (MessagePack, deflated), `etag` what names them.
WORKER_VERSIONS = Table(
    "worker_versions",
    METADATA,
    _id(),
    Column("script_id", String(ID_CHARS), ForeignKey("worker_scripts.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("settings", _JSON, nullable=False),
    Column("secrets", _JSON, nullable=False),
    Column("files", LargeBinary, nullable=False),
    Column("etag", String(64), nullable=False),
    Column("author_email", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("tag", Text, nullable=False),
    _moment("created_on"),
    Column("client", String(16), nullable=False, server_default="api"),
    Index(None, "script_id", "number", unique=True),
)

# Which version was deployed when, the newest of each script last.
WORKER_DEPLOYMENTS = Table(
    "worker_deployments",
    METADATA,
    _id(),
    Column("script_id", String(ID_CHARS), ForeignKey("worker_scripts.id", ondelete="CASCADE"), nullable=False),
    Column("version_id", String(ID_CHARS), nullable=False),
    Column("author_email", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("message", Text, nullable=False),
    _moment("created_on"),
    Column("client", String(16), nullable=False, server_default="api"),
    Index(None, "script_id", "created_on"),
)

# When scripts are to run by themselves.
WORKER_SCHEDULES = Table(
    "worker_schedules",
    METADATA,
    Column("script_id", String(ID_CHARS), ForeignKey("worker_scripts.id", ondelete="CASCADE"), primary_key=True),
    Column("cron", String(255), primary_key=True),
    _moment("created_on"),
    _moment("modified_on"),
)

# Routes of zones. One without a script sends its requests to the origin.
WORKER_ROUTES = Table(
    "worker_routes",
    METADATA,
    _id(),
    _zone(),
    Column("pattern", Text, nullable=False),
    Column("script_id", String(ID_CHARS), ForeignKey("worker_scripts.id", ondelete="CASCADE")),
    _moment("created_on"),
    Index(None, "zone_id", "pattern", unique=True),
    Index(None, "script_id"),
)

# Host names whose origin is a script.
WORKER_DOMAINS = Table(
    "worker_domains",
    METADATA,
    _id(),
    _zone(),
    Column("host", String(255), nullable=False, unique=True),
    Column("script_id", String(ID_CHARS), ForeignKey("worker_scripts.id", ondelete="CASCADE"), nullable=False),
    _moment("created_on"),
    Index(None, "zone_id"),
    Index(None, "script_id"),
)

# One row a write: who did what to what, from where, and both values.
AUDIT = Table(
    "audit_log",
    METADATA,
    _id(),
    _moment("occurred_on"),
    Column("account_id", String(ID_CHARS), nullable=False),
    Column("zone_id", String(ID_CHARS)),
    Column("zone_name", Text),
    Column("actor_id", String(ID_CHARS), nullable=False),
    Column("actor_email", Text, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_ip", Text, nullable=False),
    Column("token_id", String(ID_CHARS)),
    Column("token_name", Text),
    Column("action", String(16), nullable=False),
    Column("resource_type", String(64), nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("old_value", _JSON),
    Column("new_value", _JSON),
    Column("method", String(8), nullable=False),
    Column("uri", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    # By itself for pages over several owners, and to forget the oldest.
    Index(None, "occurred_on"),
    Index(None, "account_id", "occurred_on"),
    Index(None, "actor_id", "occurred_on"),
    Index(None, "zone_id", "occurred_on"),
)

# What edges did with requests, and by which rule (`holdfast.model.security_event`). The zone is no foreign key: a zone that is
# removed does not wait for its events, which are trimmed behind it. `client_ip_bytes` is the address in 16 bytes, IPv4 mapped
# (RFC 4291 §2.5.5.2), so that a network is a range; empty where it is none. `sample_interval` is how many the row stands for.
SECURITY_EVENTS = Table(
    "security_events",
    METADATA,
    _id(),
    _moment("occurred_on"),
    Column("account_id", String(ID_CHARS), nullable=False),
    Column("zone_id", String(ID_CHARS), nullable=False),
    Column("ray", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("rule_id", String(64), nullable=False),
    Column("ruleset_id", String(64), nullable=False),
    Column("ref", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("client_ip", String(64), nullable=False),
    Column("client_ip_bytes", LargeBinary, nullable=False),
    Column("country", String(64), nullable=False),
    Column("asn", BigInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("scheme", String(64), nullable=False),
    Column("host", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("is_upgrade", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("fields", _JSON, nullable=False),
    Column("components", _JSON, nullable=False),
    Column("score", BigInteger, nullable=False),
    Column("sample_interval", BigInteger, nullable=False),
    Index(None, "zone_id", "occurred_on", "id"),
    Index(None, "account_id", "occurred_on", "id"),
    Index(None, "occurred_on"),
    Index(None, "zone_id", "ray"),
)
