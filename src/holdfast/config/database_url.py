"""Which database: a URL that may hold a password, so it is a type whose repr does not show one.

Law: a `DatabaseUrl` is proof that its scheme is one we have a driver for and that it says where the database is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from holdfast.errors import UsageError

SQLITE = "sqlite+aiosqlite"
POSTGRESQL = "postgresql+asyncpg"
_EXPECTED = f"{SQLITE}:///PATH or {POSTGRESQL}://USER:PASSWORD@HOST/NAME"


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A URL of SQLAlchemy's form. `text` is what to connect with; `str` and `repr` show it without the password."""

    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, name: str) -> DatabaseUrl:
        """Parse what a person wrote. Raises UsageError, naming `name`, and without the password."""
        scheme, colon, rest = text.partition("://")
        wrong = UsageError(name, masked(text), _EXPECTED)
        if not colon or not text.isprintable():
            raise wrong
        if scheme == SQLITE:
            # SQLAlchemy: sqlite:///relative.db and sqlite:////absolute.db; without a path it is in memory, gone with us.
            if not rest.startswith("/") or rest[1:].partition("?")[0] in {"", ":memory:"}:
                raise UsageError(name, text, f"{SQLITE}:///PATH, the path of a file")
        elif scheme != POSTGRESQL or not _names_a_database(text):
            raise wrong
        return cls(text)

    @classmethod
    def of_file(cls, file: Path) -> DatabaseUrl:
        """The SQLite database in `file`."""
        return cls(f"{SQLITE}:///{file.absolute()}")

    @property
    def sqlite_file(self) -> Path | None:
        """The file of a SQLite database; None for another kind."""
        scheme, _, rest = self.text.partition("://")
        return Path(rest[1:].partition("?")[0]) if scheme == SQLITE else None

    def __str__(self) -> str:
        return masked(self.text)


def masked(text: str) -> str:
    """`text` with whatever may be a password in it as ***."""
    # Up to the last @ before the path, or before the end: one in a password may not have been percent-encoded.
    without_user = re.sub(r"(://[^:@/]*):.*@", r"\1:***@", text)
    return re.sub(r"(?i)(password=)[^&]*", r"\1***", without_user)


def _names_a_database(text: str) -> bool:
    try:
        url = urlsplit(text)
        has_host = bool(url.hostname) or "host=" in url.query
        return has_host and url.port != 0 and bool(unquote(url.path).strip("/"))
    except ValueError:
        return False
