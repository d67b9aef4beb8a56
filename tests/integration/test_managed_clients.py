"""Honest clients under all managed rules, as they come: not one of them may be an event, not even a logged one.

Law: the rules are those that are loaded everywhere: the Holdfast Managed Ruleset, and the OWASP Core Rule Set at paranoia level
1 where Debian's package has it. That they are really asked is shown by a client that is not honest.
"""

import asyncio
import os
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from holdfast.app.load_crs import rule_files
from holdfast.edge.firewall.values import MANAGED
from holdfast.model.control_link import Applied, FullSnapshot
from holdfast.model.rule_documents import ManagedDocument
from holdfast.model.zone_document import CATCH_ALL, SnapshotDocument
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from holdfast.rules.seclang import OWASP_RULESET_ID
from tests.integration.certificates import Authority
from tests.integration.test_clients import MODULES, read_until
from tests.integration.test_rules import Recorded
from tests.integration.waiting import LIMIT_S, PATIENT
from tests.integration.zone_parts import ORIGIN_IP, SOURCE, Bench, bench
from tests.unit.edge.firewall.rules import a_rule, a_ruleset
from tests.unit.edge.origins import a_document, a_record

CRS = Path("/usr/share/modsecurity-crs")

# Node's own WebSocket, which is that of its fetch (undici).
NODE = """
const socket = new WebSocket(process.argv[1]);
socket.onopen = () => socket.send("hello from undici");
socket.onmessage = ({data}) => { console.log(data); socket.close(1000); };
socket.onerror = () => process.exit(1);
"""
NPM_WS = """
import WebSocket from "ws";
const socket = new WebSocket(`${process.argv[2]}?protocol=chat`, ["chat"], {headers: {Authorization: "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}});
socket.on("open", () => socket.send("hello from ws"));
socket.on("message", (data) => { console.log(data.toString()); socket.close(1000); });
socket.on("error", () => process.exit(1));
"""


def crs_document() -> ManagedDocument | None:
    """The Core Rule Set of Debian's package, None where it is not installed."""
    if not CRS.exists():
        return None
    files = {name: zlib.compress(content) for name, content in rule_files(CRS).items()}
    return ManagedDocument(id=OWASP_RULESET_ID, version=1, release="3.3", files=files)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def url(tmp_path: Path, authority: Authority, recorded: Recorded) -> Iterator[str]:
    """An edge for every host name, with all managed rules, in front of the fake origin."""
    with bench(tmp_path, authority.issue("own.test", common_name="own")) as parts:
        parts.start_edge(record=recorded)
        parts.control.welcome()
        publish(parts)
        yield f"ws://localhost:{parts.plain[1]}"


def publish(parts: Bench) -> None:
    """A zone for every host name that deploys what there is."""
    document = crs_document()
    ids = [HOLDFAST_RULESET_ID, *([OWASP_RULESET_ID] if document else [])]
    rules = [a_rule(f"{place:032x}", executes=ident) for place, ident in enumerate(ids, 1)]
    zone = a_document(CATCH_ALL, a_record(CATCH_ALL, ORIGIN_IP), rulesets=(a_ruleset(*rules, phase=MANAGED),))
    parts.control.revision += 1
    snapshot = SnapshotDocument(
        source=SOURCE, revision=parts.control.revision, zones=(zone,), managed=(document,) if document else ()
    )
    parts.control.send(FullSnapshot(snapshot=snapshot))
    assert parts.control.hear(Applied).revision == parts.control.revision


@pytest.mark.parametrize(
    "path", ["/echo", "/echo?room=lobby&token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SflKxwRJSMeKKF2Q"]
)
def test_python_websockets_is_no_event(url: str, recorded: Recorded, path: str) -> None:
    with connect(f"{url}{path}", additional_headers={"Cookie": "session=abc; _ga=GA1.2.1.2"}, **PATIENT) as client:
        client.send("hello")
        assert client.recv(timeout=30) == "hello"
    assert recorded.said() == []


async def test_python_websockets_on_asyncio_is_no_event(url: str, recorded: Recorded) -> None:
    own = url.replace("ws", "http", 1)
    async with asyncio.timeout(LIMIT_S), connect_async(f"{url}/echo", origin=own, **PATIENT) as client:  # type: ignore[arg-type]  # a NewType of str
        await client.send("hello")
        assert await client.recv() == "hello"
    assert recorded.said() == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["node", "--experimental-websocket", "--no-warnings", "-e", NODE], "hello from undici"),
        (["node", "--input-type=module", "-e", NPM_WS, "-"], "hello from ws"),
    ],
    ids=["undici", "ws"],
)
def test_clients_of_node_are_no_events(url: str, recorded: Recorded, command: list[str], said: str) -> None:
    ended = subprocess.run(
        [*command, f"{url}/echo"], capture_output=True, text=True, timeout=40, check=False, cwd=MODULES.parent
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, said), ended.stderr
    assert recorded.said() == []


def test_wscat_is_no_event(url: str, recorded: Recorded) -> None:
    mine, its = os.openpty()
    command: list[str | Path] = [MODULES / ".bin" / "wscat", "--no-color", "-c", f"{url}/echo"]
    try:
        with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as wscat:
            os.close(its)
            read_until(mine, b"Connected")
            os.write(mine, b"hello from wscat\n")
            read_until(mine, b"< hello from wscat")
            os.write(mine, b"\x04")
            assert wscat.wait(30) == 0
    finally:
        os.close(mine)
    assert recorded.said() == []


def test_holdfast_connect_is_no_event(url: str, recorded: Recorded) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "holdfast", "connect", f"{url}/echo"],
        input="hello from connect\n", capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert ended.stdout.strip() == "hello from connect", ended.stderr
    assert recorded.said() == []


def test_a_client_that_is_not_honest_is_one(url: str, recorded: Recorded) -> None:
    port = int(url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        pytest.raises(InvalidStatus) as refused,
        connect(f"{url}/echo?q=1'%20union%20select%201,2--", sock=connection, **PATIENT),
    ):
        pass
    assert refused.value.response.status_code == 403
    [event] = recorded.events
    assert (event.ref, event.action, event.source, event.is_upgrade) == (
        "holdfast-1901",
        "block",
        "firewallManaged",
        True,
    )
