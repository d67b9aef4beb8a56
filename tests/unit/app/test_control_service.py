"""Control as an installation has it: its database, its facts, and which failures are whose."""

import base64
import json
import stat
from pathlib import Path

import pytest

from holdfast.app import control_service
from holdfast.app.control_service import _ControlService, _facts, first_start_lines, init, prepare_database
from holdfast.config.run import Config
from holdfast.control.first_start import FirstStart
from holdfast.control.service import Control
from holdfast.errors import SetupError, UnavailableError
from holdfast.event_log import EventLog
from holdfast.model.data_dir import edge_journal
from holdfast.model.zone_document import ZoneDocument
from holdfast.sealing import SealingKey
from holdfast.store.database import StoreUnavailable

KEY = SealingKey(bytes(32))


def test_an_installation_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "data")
    first = init(config)
    assert first is not None
    assert init(config) is None
    for name in ("holdfast.db", "secret.key"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600
    lines = first_start_lines(first)
    assert lines[:2] == [f"account: {first.account_id}", f"token: {first.token}"]


def test_a_database_file_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=rf"^database_url: the file {tmp_path} cannot be used: is a directory$"):
        prepare_database(Config.parse({"database_url": f"sqlite+aiosqlite:///{tmp_path}"}))


def test_the_facts_are_those_of_the_configuration(tmp_path: Path) -> None:
    given = {
        "control_rate_limit": "7",
        "control_ip_rate_limit": "0",
        "control_event_days": "3",
        "control_event_rows": "9",
    }
    config = Config.parse({"data_dir": str(tmp_path), **given})
    facts = _facts(config, KEY, EventLog(2))
    assert facts.database_url == f"sqlite+aiosqlite:///{tmp_path}/holdfast.db"
    assert facts.link_path == tmp_path / "control.sock"
    assert facts.limits.requests_per_5_minutes == 7
    assert facts.limits.requests_per_second_and_address == 0
    assert (facts.event_limits.days, facts.event_limits.rows) == (3, 9)
    facts.check(ZoneDocument(id="0" * 31 + "1", name="example.com"))
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        facts.check(ZoneDocument(id="x", name="example.com"))


@pytest.mark.parametrize(
    ("url", "was_served", "error"),
    [
        ("postgresql+asyncpg://me:secret@127.0.0.1/n", False, UnavailableError),
        ("sqlite+aiosqlite:///x.db", True, UnavailableError),
        ("sqlite+aiosqlite:///x.db", False, SetupError),
    ],
)
async def test_a_server_that_is_away_may_come_back_and_a_file_only_where_it_was_served_from(
    url: str, was_served: bool, error: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    if was_served:
        edge_journal(tmp_path).parent.mkdir()
        edge_journal(tmp_path).touch()

    async def away(_: object) -> None:
        raise StoreUnavailable("the database cannot be reached")

    monkeypatch.setattr("holdfast.control.service.upgrade", away)
    config = Config.parse({"database_url": url, "data_dir": str(tmp_path)})
    service = _ControlService(Control(_facts(config, KEY, EventLog(2))), config, ())
    with pytest.raises(error, match=r"^database_url: .*: the database cannot be reached$") as caught:
        await service.start()
    await service.stop()
    assert "secret" not in str(caught.value)


async def test_what_the_first_start_made_is_told_after_the_ready_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(data_dir=tmp_path)
    control = Control(_facts(config, KEY, EventLog(2)))

    async def started() -> FirstStart:
        return FirstStart("a" * 32, "t0ken")

    monkeypatch.setattr(control, "start", started)
    service = _ControlService(control, config, ())
    assert "token: t0ken" in await service.start()
    await service.stop()


def test_init_says_whose_database_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def away(_: object) -> None:
        raise StoreUnavailable("the database cannot be reached")

    monkeypatch.setattr(control_service, "upgrade", away)
    config = Config.parse({"database_url": "postgresql+asyncpg://me:secret@h/n", "data_dir": str(tmp_path)})
    with pytest.raises(UnavailableError, match=r"postgresql\+asyncpg://me:\*\*\*@h/n"):
        init(config)
    assert json.dumps(str(config.database)).count("secret") == 0


def test_a_lost_key_is_not_made_anew_beside_a_database_that_has_one(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "data")
    init(config)
    key = tmp_path / "data" / "secret.key"
    kept = key.rename(tmp_path / "kept.key")
    for _ in range(2):
        with pytest.raises(SetupError, match=r"the key that the database is sealed with is missing: put back"):
            init(config)
        assert not key.exists()
    kept.rename(key)
    assert init(config) is None


def test_another_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(data_dir=tmp_path / "data")
    init(config)
    monkeypatch.setenv("HOLDFAST_SECRET_KEY", base64.b64encode(b"o" * 32).decode())
    with pytest.raises(SetupError, match="another key than the one given here"):
        init(config)
