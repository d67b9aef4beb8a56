"""What SQL of user code may do: SQLite's limits, and its authorizer, which judges each statement as it is compiled.

Law 1: what is not allowed here is refused: a new action of a newer SQLite too.
Law 2: the trusted flag is down only while a statement of user code is begun or stepped; statements of ours are not judged.
Law 3: a statement that was taken for a reader (`statements.py`) is refused as soon as it turns out to write.

Tables, functions and pragmas are those of workerd (`sqlite.c++`); names that begin with `_cf_`, in any case, are ours.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

# SQLite's limits for hostile SQL (sqlite.org/security.html) as workerd sets them.
LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: 4 * 1024 * 1024,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 5,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 127,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
MAX_QUERY_BYTES = LIMITS[sqlite3.SQLITE_LIMIT_SQL_LENGTH]

_FUNCTIONS = frozenset(
    [
        "abs",
        "changes",
        "char",
        "coalesce",
        "concat",
        "concat_ws",
        "format",
        "glob",
        "hex",
        "ifnull",
        "iif",
        "instr",
        "last_insert_rowid",
        "length",
        "like",
        "likelihood",
        "likely",
        "lower",
        "ltrim",
        "max_scalar",
        "min_scalar",
        "nullif",
        "octet_length",
        "printf",
        "quote",
        "random",
        "randomblob",
        "replace",
        "round",
        "rtrim",
        "sign",
        "soundex",
        "substr",
        "substring",
        "total_changes",
        "trim",
        "typeof",
        "unhex",
        "unicode",
        "unlikely",
        "upper",
        "zeroblob",
        "date",
        "time",
        "datetime",
        "julianday",
        "unixepoch",
        "strftime",
        "timediff",
        "current_date",
        "current_time",
        "current_timestamp",
        "avg",
        "count",
        "group_concat",
        "max",
        "min",
        "string_agg",
        "sum",
        "total",
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "ceil",
        "ceiling",
        "cos",
        "cosh",
        "degrees",
        "exp",
        "floor",
        "ln",
        "log",
        "log10",
        "log2",
        "mod",
        "pi",
        "pow",
        "power",
        "radians",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "trunc",
        "json",
        "jsonb",
        "json_array",
        "jsonb_array",
        "json_array_length",
        "json_error_position",
        "json_extract",
        "jsonb_extract",
        "->",
        "->>",
        "json_insert",
        "jsonb_insert",
        "json_object",
        "jsonb_object",
        "json_patch",
        "jsonb_patch",
        "json_pretty",
        "json_remove",
        "jsonb_remove",
        "json_replace",
        "jsonb_replace",
        "json_set",
        "jsonb_set",
        "json_type",
        "json_valid",
        "json_quote",
        "json_group_array",
        "jsonb_group_array",
        "json_group_object",
        "jsonb_group_object",
        "json_each",
        "json_tree",
        "match",
        "highlight",
        "bm25",
        "snippet",
        "fts5",
        "fts5_source_id",
        "rtreecheck",
        "rtreedepth",
        "rtreenode",
        "sqlite_rename_column",
        "sqlite_rename_table",
        "sqlite_rename_test",
        "sqlite_drop_column",
        "sqlite_rename_quotefix",
        "sqlite_fail",
    ]
)
_MODULES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

_NOTHING = re.compile(r"(?!)")
_FLAG = re.compile(r"""(['"]?)(?:true|false|yes|no|on|off|1|0)\1""", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+")
_NAME = re.compile(r"(?!_cf_).*", re.IGNORECASE | re.DOTALL)
_NAME_OR_NUMBER = re.compile(r"\d+|(?!_cf_).*", re.IGNORECASE | re.DOTALL)

# Pragma -> (whether it may stand alone, what its argument may be).
_PRAGMAS: Final[dict[str, tuple[bool, re.Pattern[str]]]] = {
    "data_version": (True, _NOTHING),
    "page_size": (True, _NOTHING),
    **dict.fromkeys(
        (
            "case_sensitive_like",
            "foreign_keys",
            "defer_foreign_keys",
            "ignore_check_constraints",
            "legacy_alter_table",
            "recursive_triggers",
            "reverse_unordered_selects",
        ),
        (True, _FLAG),
    ),
    "foreign_key_check": (True, _NAME),
    **dict.fromkeys(("foreign_key_list", "index_info", "index_list", "index_xinfo"), (False, _NAME)),
    "quick_check": (True, _NAME_OR_NUMBER),
    "optimize": (True, _NUMBER),
    # It lists our tables too; that they exist is no secret.
    "table_list": (True, _NAME),
    **dict.fromkeys(("table_info", "table_xinfo"), (False, _NAME)),
}

# Tables that SQLite may have been built with, and that show or change what is under the tables.
_INNARDS = frozenset({"dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used"})
_SCHEMA = frozenset({"sqlite_master", "sqlite_schema"})

# Action -> which of the two arguments are names that must not be ours; writers are apart (law 3).
_READS = {sqlite3.SQLITE_READ: (0,), sqlite3.SQLITE_SELECT: (), sqlite3.SQLITE_RECURSIVE: ()}
_WRITES = {
    sqlite3.SQLITE_CREATE_TABLE: (0,),
    sqlite3.SQLITE_DELETE: (0,),
    sqlite3.SQLITE_DROP_TABLE: (0,),
    sqlite3.SQLITE_INSERT: (0,),
    sqlite3.SQLITE_UPDATE: (0,),
    sqlite3.SQLITE_CREATE_VIEW: (0,),
    sqlite3.SQLITE_DROP_VIEW: (0,),
    sqlite3.SQLITE_REINDEX: (0,),
    sqlite3.SQLITE_ANALYZE: (),
    # SQLite gives the database first here, and never the new name: `statements.py` looks for that.
    sqlite3.SQLITE_ALTER_TABLE: (1,),
    sqlite3.SQLITE_CREATE_INDEX: (0, 1),
    sqlite3.SQLITE_DROP_INDEX: (0, 1),
    sqlite3.SQLITE_CREATE_TRIGGER: (0, 1),
    sqlite3.SQLITE_DROP_TRIGGER: (0, 1),
    sqlite3.SQLITE_CREATE_VTABLE: (0,),
    sqlite3.SQLITE_DROP_VTABLE: (0,),
}
_OF_MODULES = frozenset({sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_VTABLE})
_DECLARES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE})
_OF_TEMP = frozenset({sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE})


def is_own_name(name: str) -> bool:
    """Whether a name is one of ours, which user code may neither use nor give."""
    return name[:4].lower() == "_cf_"


class Regulation:
    """The authorizer of one connection. `is_trusted`: statements are ours. `may_write`: the statement of user code is a writer."""

    __slots__ = ("is_trusted", "may_write")

    def __init__(self) -> None:
        self.is_trusted, self.may_write = True, False

    def enforced(self, *, may_write: bool) -> Regulation:
        """A context within which statements are those of user code. It does not nest."""
        self.may_write = may_write
        return self

    def __enter__(self) -> None:
        self.is_trusted = False

    def __exit__(self, *_: object) -> None:
        self.is_trusted = True

    def install(self, connection: sqlite3.Connection) -> None:
        """Judge what this connection compiles from now on."""
        for limit, value in LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(self._judge)

    def _judge(
        self, action: int, first: str | None, second: str | None, database: str | None, _trigger: str | None
    ) -> int:
        if self.is_trusted or self._allows(action, first or "", second, database):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    def _allows(self, action: int, first: str, second: str | None, database: str | None) -> bool:
        if action == sqlite3.SQLITE_ALTER_TABLE:
            database = first
        if database is not None and database != "main":
            return database == "temp" and action in _OF_TEMP and not is_own_name(first)
        if (names := self._names_in(action, first)) is not None:
            is_refused = any(is_own_name((first, second or "")[at]) for at in names)
            return not is_refused and (action not in _OF_MODULES or (second or "").lower() in _MODULES)
        if action == sqlite3.SQLITE_FUNCTION:
            return (second or "").lower() in _FUNCTIONS
        return action == sqlite3.SQLITE_PRAGMA and _is_pragma_allowed(first.lower(), second)

    def _names_in(self, action: int, first: str) -> tuple[int, ...] | None:
        """Which arguments are names to look at; None: it is neither a read nor, if it may write, a write."""
        if action == sqlite3.SQLITE_READ and first.lower() in _INNARDS:
            return None
        if action in _DECLARES and first in _SCHEMA:
            # A virtual table that is read declares its columns so. Who really writes there is refused by SQLite itself.
            return ()
        if (names := _READS.get(action)) is None and self.may_write:
            names = _WRITES.get(action)
        return names


def _is_pragma_allowed(pragma: str, argument: str | None) -> bool:
    if pragma not in _PRAGMAS:
        return False
    may_stand_alone, pattern = _PRAGMAS[pragma]
    return may_stand_alone if argument is None else pattern.fullmatch(argument) is not None
