"""`waf`: rules of a folder into the database, seen and removed."""

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.app import load_crs
from holdfast.app.control_service import _ControlService, _facts, init
from holdfast.app.load_crs import compiled, rule_files, run_load_crs, run_remove_crs, run_show
from holdfast.config.database_url import DatabaseUrl
from holdfast.config.run import Config
from holdfast.config.waf import LoadOptions, RemoveOptions, ShowOptions
from holdfast.control.service import Control
from holdfast.edge.rule_sources import compile_managed
from holdfast.errors import SetupError, UnavailableError, UsageError
from holdfast.event_log import EventLog
from holdfast.model.rule_documents import ManagedDocument
from holdfast.rules.seclang.owasp import OWASP_RULESET_ID
from holdfast.sealing import SealingKey
from holdfast.store import audit, managed, rulesets, zones
from holdfast.store.audit import AuditQuery, Entry
from holdfast.store.database import Database
from holdfast.store.rulesets import Owner
from holdfast.store.schema import ACCOUNTS
from holdfast.store.upgrade import upgrade
from tests.databases import Cluster
from tests.unit.rules.seclang.core_rules import FILES, RULES, SETUP
from tests.unit.store.test_rulesets import executing
from tests.unit.store.test_zones import zone as a_zone


@pytest.fixture(name="release")
def _release(tmp_path: Path) -> Path:
    """A release as upstream lays it out."""
    folder = tmp_path / "crs"
    (folder / "rules").mkdir(parents=True)
    (folder / "crs-setup.conf.example").write_text(SETUP, encoding="utf-8")
    (folder / "rules" / "rules.conf").write_text(RULES, encoding="utf-8")
    (folder / "rules" / "words.data").write_bytes(b"a")
    (folder / "rules" / "extra.conf.example").write_text("SecBroken", encoding="utf-8")
    (folder / "README.md").write_text("#", encoding="utf-8")
    return folder


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    init(Config(data_dir=tmp_path / "data"))
    return tmp_path / "data"


def stored(data: Path) -> list[ManagedDocument]:
    async def read() -> list[ManagedDocument]:
        database = Database(Config(data_dir=data).database.text)
        async with database.read() as connection:
            documents = await managed.all_documents(connection)
        await database.close()
        return documents

    return asyncio.run(read())


def test_a_release_is_loaded_seen_replaced_and_removed(
    release: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_load_crs(LoadOptions(directory=release, data_dir=data)) == 0
    said = capsys.readouterr().out
    assert "OWASP Core Rule Set 3.3.4: 6 rules on the head of a request, 3 of them at paranoia level 1" in said
    assert '{"action": "execute", "action_parameters": {"id": "4814384a9e5d4991b9815dcfc25d2f1f"}' in said
    (document,) = stored(data)
    assert compile_managed(document).version.startswith("3.3.4+")
    assert run_load_crs(LoadOptions(directory=release, data_dir=data)) == 0
    assert [one.version > document.version for one in stored(data)] == [True]
    capsys.readouterr()
    assert run_show(ShowOptions(data_dir=data, as_json=True)) == 0
    assert [one["rules"] for one in json.loads(capsys.readouterr().out)][-1] == 6
    assert run_remove_crs(RemoveOptions(data_dir=data)) == 0
    assert stored(data) == []
    with pytest.raises(SetupError, match="no OWASP Core Rule Set has been loaded"):
        run_remove_crs(RemoveOptions(data_dir=data))
    noted = [(one.action, one.actor_kind, one.uri, one.old_value, one.new_value) for one in entries(data)]
    what = {"id": OWASP_RULESET_ID, "release": "3.3.4"}
    assert noted == [
        ("create", "system", "holdfast waf load-crs", None, what),
        ("update", "system", "holdfast waf load-crs", what, what),
        ("delete", "system", "holdfast waf remove-crs", what, None),
    ]


def entries(data: Path) -> list[Entry]:
    """What the audit log of the account says, the oldest first."""

    async def read() -> list[Entry]:
        database = Database(Config(data_dir=data).database.text)
        async with database.read() as connection:
            (account,) = (await connection.execute(sa.select(ACCOUNTS))).all()
            found = await audit.select(connection, AuditQuery(account_id=account.id, ascending=True, limit=100))
        await database.close()
        return found

    return asyncio.run(read())


def executed_by_zones(data: Path, count: int, overrides: Sequence[object] = ()) -> None:
    """Have the Core Rule Set loaded, and executed by a rule of their account and of each of `count` zones, with `overrides`."""

    async def write() -> None:
        database = Database(Config(data_dir=data).database.text)
        async with database.write() as connection:
            (account,) = (await connection.execute(sa.select(ACCOUNTS))).all()
            await managed.put(connection, ManagedDocument(id=OWASP_RULESET_ID, version=0, release="3.3.4", files={}))
            owners = [Owner("account", account.id)]
            for number in range(count):
                made = msgspec.structs.replace(a_zone(number, f"zone{number:02}.example"), account_id=account.id)
                await zones.insert(connection, made)
                owners.append(Owner("zone", made.id))
            for number, (owner, changed) in enumerate(zip_longest(owners, overrides)):
                parameters = {"id": OWASP_RULESET_ID, "overrides": changed}
                made_of = executing(number, OWASP_RULESET_ID, action_parameters=parameters)
                await rulesets.insert(connection, owner, made_of)
        await database.close()

    asyncio.run(write())


def test_what_rules_execute_is_not_removed_and_they_are_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    executed_by_zones(data, 12)
    with pytest.raises(SetupError) as refused:
        run_remove_crs(RemoveOptions(data_dir=data))
    zones_named = ", ".join(f"the zone zone{number:02}.example" for number in range(9))
    assert f", {zones_named} and 3 more, which would do nothing without it" in str(refused.value)
    assert "is executed by rules of the account " in str(refused.value)
    assert str(refused.value).endswith("or say --force")
    assert len(stored(data)) == 1
    assert run_remove_crs(RemoveOptions(data_dir=data, is_forced=True)) == 0
    assert stored(data) == []
    assert "do nothing from now on, those of the account " in capsys.readouterr().out


def test_a_person_is_told_what_there_is(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_show(ShowOptions(data_dir=data)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "Holdfast Managed Ruleset" in first
    assert second == "The OWASP Core Rule Set has not been loaded: holdfast waf load-crs DIR"


def test_only_files_of_rules_are_read(release: Path) -> None:
    assert sorted(rule_files(release)) == ["crs-setup.conf.example", "rules.conf", "words.data"]
    assert sorted(rule_files(release / "rules")) == ["rules.conf", "words.data"]


def test_a_setup_goes_before_its_example_and_one_that_is_named_before_both(release: Path, tmp_path: Path) -> None:
    (release / "crs-setup.conf").write_text("# mine", encoding="utf-8")
    assert rule_files(release)["crs-setup.conf"] == b"# mine"
    named = tmp_path / "other.conf"
    named.write_text("# other", encoding="utf-8")
    assert rule_files(release, named) == {
        "crs-setup.conf": b"# other",
        "rules.conf": RULES.encode(),
        "words.data": b"a",
    }


def test_debians_package_keeps_its_setup_elsewhere(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (elsewhere / "crs-setup.conf").write_text("# debian", encoding="utf-8")
    (elsewhere / "REQUEST-900-MINE.conf").write_text("# mine", encoding="utf-8")
    monkeypatch.setattr(load_crs, "_DEBIAN_SETUP", elsewhere)
    (release / "crs-setup.conf.example").unlink()
    (release / "owasp-crs.load").write_text("Include x", encoding="utf-8")
    found = rule_files(release)
    assert (found["crs-setup.conf"], found["REQUEST-900-MINE.conf"]) == (b"# debian", b"# mine")


def test_a_link_that_leads_out_of_the_folder_is_not_followed(release: Path, tmp_path: Path) -> None:
    outside = tmp_path / "shadow"
    outside.write_text("root:secret", encoding="utf-8")
    link = release / "rules" / "x.conf"
    link.symlink_to(outside)
    with pytest.raises(SetupError) as refused:
        rule_files(release)
    assert (
        str(refused.value) == f"{link}: a link that leads out of {release} is not followed; a copy of the file is read"
    )
    link.unlink()
    link.symlink_to("rules.conf")
    assert rule_files(release)["x.conf"] == RULES.encode(), "one that stays inside is"
    link.unlink()
    (release / "rules").rename(tmp_path / "moved")
    (release / "rules").symlink_to(tmp_path / "moved")
    with pytest.raises(SetupError, match="leads out of"):
        rule_files(release)
    assert rule_files(tmp_path / "moved", release / "crs-setup.conf.example")["rules.conf"] == RULES.encode()


def test_overrides_of_what_another_release_has_are_named(
    release: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    executed_by_zones(data, 3, overrides=[{"action": "log"}, {"rules": [{"id": "0" * 32}]}, None, {"action": "dance"}])
    assert run_load_crs(LoadOptions(directory=release, data_dir=data)) == 0
    assert "Overrides of the zone zone00.example name rules or categories that this" in capsys.readouterr().out


@pytest.mark.parametrize("step", ["", "0005"])
def test_no_database_is_brought_up_by_who_only_comes_by(step: str, release: Path, empty_database_url: str) -> None:
    async def prepare() -> None:
        database = Database(empty_database_url)
        if step:
            await upgrade(database, to=step)
        else:
            async with database.read() as connection:
                await connection.execute(sa.select(1))
        await database.close()

    asyncio.run(prepare())
    url = DatabaseUrl.parse(empty_database_url, "database_url")
    expected = "of an older Holdfast .* holdfast control" if step else "there is no installation in the database"
    with pytest.raises(SetupError, match=f"^database_url: .*{expected}"):
        run_load_crs(LoadOptions(directory=release, database_url=url))
    with pytest.raises(SetupError, match=f"^database_url: .*{expected}"):
        run_show(ShowOptions(database_url=url))
    with pytest.raises(SetupError, match=f"^database_url: .*{expected}"):
        run_remove_crs(RemoveOptions(database_url=url))


@pytest.mark.parametrize("start", ["waf", "init", "control"])
def test_a_postgresql_without_the_database_is_one_sentence(
    start: str, tmp_path: Path, postgres_cluster: Cluster
) -> None:
    config = Config(data_dir=tmp_path, database_url=DatabaseUrl.parse(postgres_cluster.url("none"), "database_url"))
    with pytest.raises(UnavailableError, match=r"^database_url: .*/none\?.*: the server has no database of this name"):
        STARTS[start](config)


def shown(config: Config) -> None:
    """What `waf show` does."""
    run_show(ShowOptions(data_dir=config.data_dir, database_url=config.database_url))


def started(config: Config) -> None:
    """What `run` and `control` do of it."""

    async def start() -> None:
        service = _ControlService(Control(_facts(config, SealingKey(bytes(32)), EventLog(2))), config, ())
        try:
            await service.start()
        finally:
            await service.stop()

    asyncio.run(start())


STARTS: dict[str, Callable[[Config], object]] = {"waf": shown, "init": init, "control": started}


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^DIR: expected a folder with \*\.conf files"):
        rule_files(tmp_path)
    with pytest.raises(UsageError, match=r"^DIR: expected a folder with rules \(no such file"):
        rule_files(tmp_path / "gone")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.conf").write_text("", encoding="utf-8")
    with pytest.raises(SetupError, match=r"other\.conf: no such file"):
        rule_files(tmp_path, tmp_path / "other.conf")


def test_too_much_is_refused(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_crs, "MAX_FILES", 2)
    with pytest.raises(UsageError, match="expected at most 2 files"):
        rule_files(release)
    monkeypatch.setattr(load_crs, "MAX_FILES", 500)
    monkeypatch.setattr(load_crs, "MAX_TEXT_BYTES", 100)
    with pytest.raises(UsageError, match="and 100 bytes of rules"):
        rule_files(release)


def test_rules_that_cannot_be_used_are_refused_with_file_and_line_and_nothing_is_stored(
    release: Path, data: Path
) -> None:
    (release / "rules" / "zz.conf").write_text('\nSecRule ARGS "@rx (" "id:1"', encoding="utf-8")
    with pytest.raises(SetupError, match=r"^zz\.conf:2: expected another argument \("):
        run_load_crs(LoadOptions(directory=release, data_dir=data))
    assert stored(data) == []


def test_a_rule_of_a_high_paranoia_level_is_compiled_too() -> None:
    broken = RULES.replace("SecMarker END", 'SecRule ARGS "@rx (" "id:1,tag:\'paranoia-level/4\'"\nSecMarker END')
    with pytest.raises(SetupError, match=r"^rules\.conf:\d+: expected another argument"):
        compiled({**FILES, "rules.conf": broken.encode()})


def test_nothing_is_made_where_there_is_no_installation(release: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    with pytest.raises(SetupError, match=r"there is no installation in .*run or holdfast init"):
        run_load_crs(LoadOptions(directory=release, data_dir=nowhere))
    with pytest.raises(SetupError, match=r"there is no installation in .*run or holdfast init"):
        run_show(ShowOptions(data_dir=nowhere))
    assert not nowhere.exists()
