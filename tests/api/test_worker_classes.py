"""`holdfast.api.worker_classes`: what migrations make of the classes of a Worker, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.worker_migrations import DurableClass
from tests.api.harness import Api, codes
from tests.api.worker_uploads import ROOM, ROOM_MADE, upload
from tests.api.workers import FakeWorkers


def base(api: Api) -> str:
    return f"/accounts/{api.account_id}/workers/scripts"


async def test_migrations_apply_once_in_their_order(worker_api: Api, workers: FakeWorkers) -> None:
    api = worker_api
    await api.result("PUT", f"{base(api)}/chat", **upload(bindings=[ROOM], migrations=ROOM_MADE))
    steps = [
        {"tag": "v1", "new_sqlite_classes": ["Room"]},
        {"tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}]},
    ]
    hall = {**ROOM, "class_name": "Hall"}
    given = upload(bindings=[hall], migrations={"old_tag": "v1", "new_tag": "v2", "steps": steps[1:]})
    made = await api.result("PUT", f"{base(api)}/chat", **given)
    assert made["migration_tag"] == "v2"
    assert workers.versions[-1][0].classes == {"Hall": DurableClass(namespace="Room")}
    # What was applied is passed over, where the steps name it.
    again = upload(bindings=[hall], migrations={"new_tag": "v2", "steps": steps})
    await api.result("PUT", f"{base(api)}/chat", **again)
    assert workers.versions[-1][0].classes == {"Hall": DurableClass(namespace="Room")}
    await api.result(
        "PUT",
        f"{base(api)}/chat",
        **upload(exports={"Hall": {"type": "durable-object"}, "New": {"type": "durable-object"}}),
    )
    assert set(workers.versions[-1][0].classes) == {"Hall", "New"}


@pytest.mark.parametrize(
    ("migrations", "status", "code"),
    [
        # wrangler, where the configuration does not know the tag: all there are.
        ({"old_tag": "v1", "new_tag": "v9", "steps": [{"new_sqlite_classes": ["Hall"]}]}, 200, 0),
        ({"old_tag": "v1", "new_tag": "v9", "steps": [{"new_sqlite_classes": ["Room"]}]}, 400, 10074),
        ({"old_tag": "v1", "new_tag": "v9", "steps": [{"new_classes": ["Room"]}]}, 400, 10074),
        ({"old_tag": "v0", "new_tag": "v9", "steps": [{"new_sqlite_classes": ["Hall"]}]}, 412, 10079),
        ({"old_tag": "", "new_tag": "v9", "steps": []}, 412, 10079),
        ({"new_tag": "v9", "steps": [{"new_sqlite_classes": ["Hall"]}]}, 412, 10079),
        ({"new_tag": "v1", "new_sqlite_classes": ["Room"]}, 412, 10079),
        # The command: steps with tags, of which it does not know which were applied.
        ({"new_tag": "v2", "steps": [{"tag": "v1", "new_sqlite_classes": ["Room"]}, {"tag": "v2"}]}, 200, 0),
        ({"new_tag": "x2", "steps": [{"tag": "x1", "new_sqlite_classes": ["Room"]}, {"tag": "x2"}]}, 400, 10074),
        ({"old_tag": "v1", "new_tag": "v1"}, 200, 0),
    ],
)  # fmt: skip
async def test_migrations_apply_after_the_tag_of_the_last_one_alone(
    worker_api: Api, workers: FakeWorkers, migrations: dict[str, Any], status: int, code: int
) -> None:
    api = worker_api
    await api.result("PUT", f"{base(api)}/chat", **upload(bindings=[ROOM], migrations=ROOM_MADE))
    answer = await api.ask("PUT", f"{base(api)}/chat", **upload(bindings=[ROOM], migrations=migrations))
    assert (answer.status_code, codes(answer)) == (status, [code] if code else []), answer.text
    (script,) = await api.result("GET", base(api))
    assert script["migration_tag"] == ("v1" if code else migrations["new_tag"])
