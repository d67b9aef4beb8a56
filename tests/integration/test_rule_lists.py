"""Lists over the API of a whole installation: in force when they are answered, whole or not there when control is killed."""

import json
import signal
import sqlite3
import threading
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.integration.origin import Origin
from tests.integration.run import CONTROL, Run
from tests.integration.test_crash_serving import HOST, add_record
from tests.integration.test_crash_writes import add_zone, asked
from tests.integration.test_rule_publication import API, CUSTOM, account_of, block, put_rules, upgraded
from tests.integration.waiting import poll

MANY = 50_000


def items(first: int, count: int) -> list[dict[str, str]]:
    """Addresses that are nobody's here."""
    return [{"ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"} for number in range(first, first + count)]


class Lists:
    """The lists of an installation's account."""

    def __init__(self, run: Run, origin: Origin) -> None:
        self.run, self.token = run, run.token
        zone_id = add_zone(run, self.token, origin)
        add_record(run, self.token, zone_id, HOST)
        self.path = f"/{account_of(run, self.token)}/rules/lists"
        self.ident = self._result("POST", self.path, {"name": "bad", "kind": "ip"})["id"]
        put_rules(run, self.token, f"zones/{zone_id}", CUSTOM, block("ip.src in $bad"))

    def _result(self, method: str, path: str, body: object) -> Any:
        status, answer = self.run.ask(method, f"{API}{path}", token=self.token, body=body)
        assert status == 200, answer
        return answer["result"]

    def write(self, method: str, body: object) -> None:
        """Change the items, and see the operation completed."""
        operation = self._result(method, f"{self.path}/{self.ident}/items", body)["operation_id"]
        assert asked(self.run, self.token, f"{self.path}/bulk_operations/{operation}")["status"] == "completed"

    def count(self, data: Path) -> int:
        """How many items the list says it has, which it has."""
        said: int = asked(self.run, self.token, f"{self.path}/{self.ident}")["num_items"]
        with closing(sqlite3.connect(data / "holdfast.db")) as connection:
            assert connection.execute("SELECT count(*) FROM list_items").fetchone() == (said,)
        return said


def test_an_item_is_in_force_when_its_operation_is_completed(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        lists = Lists(run, origin)
        for _ in range(3):
            assert upgraded(run) == 101
            lists.write("POST", [{"ip": "127.0.0.1", "comment": "this machine"}])
            assert upgraded(run) == 403
            lists.write("PUT", items(0, 3))


@pytest.mark.timeout(300)
def test_a_change_that_control_does_not_survive_is_whole_or_not_there(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        lists = Lists(run, origin)
        lists.write("PUT", [{"ip": "127.0.0.1"}, *items(0, 9)])
        for restarts in range(3):
            before, wanted = lists.count(tmp_path), MANY + restarts
            answered = cut_off(lists, tmp_path, items(restarts * MANY, wanted), restarts)
            after = lists.count(tmp_path)
            assert after == wanted if answered == [200] else after in {before, wanted}
        assert upgraded(run) == (403 if lists.count(tmp_path) == 10 else 101)
        lists.write("PUT", [{"ip": "127.0.0.1"}])
        assert upgraded(run) == 403


def cut_off(lists: Lists, data: Path, body: object, restarts: int) -> list[int]:
    """Put items, kill control once it writes them, and wait until another serves; the status, if there was an answer."""
    control, log, answered = lists.run.child(CONTROL, restarts=restarts), data / "holdfast.db-wal", list[int]()
    size = log.stat().st_size
    writer = threading.Thread(target=_put, args=(lists, body, answered))
    writer.start()
    poll(lambda: answered or log.stat().st_size != size, what="items to be written", limit_s=30)
    lists.run.signal(control, signal.SIGKILL)
    writer.join(30)
    lists.run.child(CONTROL, restarts=restarts + 1)
    return answered


def _put(lists: Lists, body: object, answered: list[int]) -> None:
    """Put items, and note the status if there is one."""
    connection = HTTPConnection(*lists.run.api, timeout=30)
    path = f"{API}{lists.path}/{lists.ident}/items"
    try:
        connection.request("PUT", path, json.dumps(body), {"Authorization": f"Bearer {lists.token}"})
        answered.append(connection.getresponse().status)
    except (OSError, HTTPException):
        pass
    finally:
        connection.close()
