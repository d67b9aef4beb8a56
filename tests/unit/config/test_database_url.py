"""Database URLs: which are taken, and that no error, repr or list shows a password."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.database_url import DatabaseUrl, masked
from holdfast.errors import UsageError


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("sqlite+aiosqlite:///holdfast.db", Path("holdfast.db")),
        ("sqlite+aiosqlite:////var/lib/holdfast/holdfast.db", Path("/var/lib/holdfast/holdfast.db")),
        ("sqlite+aiosqlite:///a.db?timeout=5", Path("a.db")),
        ("postgresql+asyncpg://me:secret@db.example.com:5432/holdfast", None),
        ("postgresql+asyncpg://me@/holdfast?host=/run/postgresql", None),
        ("postgresql+asyncpg://[::1]/holdfast?ssl=require", None),
    ],
)
def test_what_we_have_a_driver_for_is_taken(text: str, file: Path | None) -> None:
    url = DatabaseUrl.parse(text, "database_url")
    assert (url.text, url.sqlite_file) == (text, file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "holdfast.db",
        "sqlite:///holdfast.db",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite://host/holdfast.db",
        "postgres://me:secret@h/n",
        "postgresql://me:secret@h/n",
        "postgresql+asyncpg://me:secret@h",
        "postgresql+asyncpg://me:secret@h/",
        "postgresql+asyncpg:///n",
        "postgresql+asyncpg://me:secret@h:port/n",
        "postgresql+asyncpg://[::1/n",
        "mysql+aiomysql://me:secret@h/n",
        "postgresql+asyncpg://me:secret@h/n\n",
    ],
)
def test_others_are_refused_with_what_would_do_and_without_the_password(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"^holdfast\.toml: database_url: expected .*sqlite\+aiosqlite:///PATH"
    ) as caught:
        DatabaseUrl.parse(text, "holdfast.toml: database_url")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+asyncpg://me:secret@h/n", "postgresql+asyncpg://me:***@h/n"),
        ("postgresql+asyncpg://me:p@ss:word@h/n", "postgresql+asyncpg://me:***@h/n"),
        ("postgresql+asyncpg://me@h/n?password=secret&ssl=on", "postgresql+asyncpg://me@h/n?password=***&ssl=on"),
        ("postgresql+asyncpg://me@h/n", "postgresql+asyncpg://me@h/n"),
        ("sqlite+aiosqlite:///a:b@c.db", "sqlite+aiosqlite:///a:b@c.db"),
    ],
)
def test_a_password_is_masked_wherever_a_url_is_shown(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert str(DatabaseUrl(text)) == shown
    assert text not in repr(DatabaseUrl(text))


@given(st.text(st.characters(exclude_characters="*", min_codepoint=33), min_size=1))
def test_no_password_is_ever_shown(password: str) -> None:
    secret = f"<{password}>"
    assert secret not in masked(f"postgresql+asyncpg://me:{secret}@h/n")


def test_a_file_becomes_a_url_with_its_whole_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    url = DatabaseUrl.of_file(Path("holdfast.db"))
    assert url.sqlite_file == tmp_path / "holdfast.db"
    assert DatabaseUrl.parse(url.text, "x") == url
