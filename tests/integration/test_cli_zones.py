"""The command against a running installation: what it says is done is done at the edge, at once."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.frames import CLOSE
from tests.integration.installation import Installation
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE
from tests.integration.waiting import LIMIT_S


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture
def zone(installed: Installation, origin: Origin, request: pytest.FixtureRequest) -> Iterator[str]:
    """A zone in front of the fake origin, for one test."""
    name = f"zone-{abs(hash(request.node.nodeid)):x}.example"
    installed.did("zone", "add", name, "--origin", origin.url)
    yield name
    installed.run("zone", "remove", name)


def asked(installed: Installation, host: str, target: str = "/") -> tuple[int, bytes]:
    """Status and body of an ordinary request to the edge."""
    with wire.connect(installed.plain) as client:
        answer, body = client.request(wire.request("GET", target, "Connection: close", host=host))
    return answer.status, body


def upgraded(installed: Installation, host: str) -> int:
    """The status with which the edge answers an upgrade."""
    with wire.connect(installed.plain) as client:
        client.send(wire.upgrade("/echo", host=host))
        return client.read_answer().status


def test_a_zone_with_an_origin_is_served_at_once_by_its_name_and_below(installed: Installation, zone: str) -> None:
    assert asked(installed, zone) == (200, PAGE)
    assert asked(installed, f"ws.{zone}") == (200, PAGE)
    assert upgraded(installed, zone) == 101


def test_adding_says_every_step(installed: Installation, origin: Origin) -> None:
    out = installed.did("zone", "add", "steps.example", "--origin", origin.url, "--no-wildcard", "--plan", "pro")
    first, *steps = out.splitlines()
    assert first.startswith("steps.example: created in the account ")
    assert steps == [
        "plan: pro",
        "ssl: flexible (plain HTTP to the origin)",
        f"origin rule: every request to port {origin.port}",
        "record: steps.example A 127.0.0.1, proxied",
    ]
    assert asked(installed, "steps.example")[0] == 200
    assert asked(installed, "ws.steps.example")[0] == 530
    shown = json.loads(installed.did("zone", "show", "steps.example", "--json"))
    assert shown["plan"]["legacy_id"] == "pro"


def test_a_zone_that_is_removed_is_gone_from_the_edge(installed: Installation, origin: Origin) -> None:
    installed.did("zone", "add", "gone.example", "--origin", origin.url)
    assert asked(installed, "gone.example")[0] == 200
    assert installed.did("zone", "remove", "gone.example").startswith("gone.example: removed")
    assert asked(installed, "gone.example")[0] == 530
    assert "gone.example" not in installed.did("zone", "list")
    assert "ZONE: expected the name or id" in installed.refused("zone", "remove", "gone.example")


def test_the_switch_refuses_upgrades_at_once_and_disconnect_ends_what_is_open(
    installed: Installation, zone: str
) -> None:
    with wire.websocket(installed.plain, "/echo", name=zone) as (client, _):
        out = installed.did("setting", "set", zone, "websockets", "off")
        assert out == f"{zone}: websockets: on -> off\n"
        assert upgraded(installed, zone) == 403
        assert installed.did("setting", "get", zone, "websockets") == "off\n"
        assert installed.did("zone", "disconnect", zone) == f"{zone}: 1 open WebSocket closed with 1001 (going away)\n"
        frame = client.read_frame()
    assert (frame.opcode, frame.close_code) == (CLOSE, 1001)
    installed.did("setting", "set", zone, "websockets", "on")
    assert upgraded(installed, zone) == 101


def test_a_refusal_of_a_setting_says_what_it_may_be(installed: Installation, zone: str) -> None:
    said = installed.refused("setting", "set", zone, "ssl", "sometimes")
    assert said.startswith(f"holdfast setting set: cannot set ssl of {zone}: code 1007: ")
    assert "'strict'" in said
    said = installed.refused("setting", "set", zone, "no_such", "on")
    assert "no_such" in said


def test_settings_of_every_type_are_written_as_they_are_read(installed: Installation, zone: str) -> None:
    for name, value in [
        ("min_tls_version", "1.3"),
        ("proxy_read_timeout", "30"),
        ("ciphers", '["ECDHE-RSA-AES128-GCM-SHA256"]'),
    ]:
        installed.did("setting", "set", zone, name, value)
        assert installed.did("setting", "get", zone, name) == f"{value}\n"
    header = {"enabled": True, "max_age": 300, "include_subdomains": True, "preload": False, "nosniff": True}
    value = json.dumps({"strict_transport_security": header})
    installed.did("setting", "set", zone, "security_header", value)
    listed = json.loads(installed.did("setting", "list", zone, "--json"))
    values = {one["id"]: one["value"] for one in listed}
    assert values["security_header"] == {"strict_transport_security": header}
    assert values["min_tls_version"] == "1.3"


def test_a_paused_zone_has_no_features_until_it_is_resumed(installed: Installation, origin: Origin) -> None:
    installed.did("zone", "add", "paused.example", "--origin", origin.url)
    installed.did("setting", "set", "paused.example", "websockets", "off")
    installed.did("zone", "pause", "paused.example")
    assert upgraded(installed, "paused.example") == 101
    assert "paused" in installed.did("zone", "list", "--name", "paused.").splitlines()[1]
    installed.did("zone", "resume", "paused.example")
    assert upgraded(installed, "paused.example") == 403


def test_records_come_change_and_go(installed: Installation, origin: Origin, zone: str) -> None:
    host = f"ws.{zone}"
    # Beside the wildcard, a name of its own is what counts.
    added = installed.did("record", "add", zone, "ws", origin.host, "--dns-only", "--comment", "for a while")
    assert added == f"added: {host} A {origin.host}, dns only, ttl auto\n"
    assert asked(installed, host)[0] == 530
    edited = installed.did("record", "edit", zone, "ws", "--proxied")
    assert edited.splitlines()[1] == f"now: {host} A {origin.host}, proxied, ttl auto"
    assert asked(installed, host)[0] == 200
    records = {one["name"]: one for one in json.loads(installed.did("record", "list", zone, "--json"))}
    assert set(records) == {zone, f"*.{zone}", host}
    assert records[host]["comment"] == "for a while"
    assert "removed: " in installed.did("record", "remove", zone, records[host]["id"])
    assert "RECORD: expected the name or id" in installed.refused("record", "remove", zone, "ws")


def test_a_name_with_two_records_is_removed_by_id_only(installed: Installation, zone: str) -> None:
    for address in ("127.0.0.1", "127.0.0.2"):
        installed.did("record", "add", zone, "two", address)
    said = installed.refused("record", "remove", zone, "two")
    assert "the id of one of 2: " in said
    assert "127.0.0.1" in said
    assert "127.0.0.2" in said


def test_a_certificate_is_shown_to_clients_at_once(installed: Installation, zone: str, authority: Authority) -> None:
    pair = authority.issue(zone, f"*.{zone}")
    out = installed.did("cert", "add", zone, "--cert", str(pair.cert), "--key", str(pair.key))
    assert zone in out
    with wire.connect(installed.tls, tls=authority.trusting(), name=f"ws.{zone}") as client:
        answer, _ = client.request(wire.request("GET", "/", "Connection: close", host=f"ws.{zone}"))
    assert answer.status == 200
    (shown,) = json.loads(installed.did("cert", "list", zone, "--json"))
    assert "PRIVATE KEY" not in json.dumps(shown)
    assert "removed" in installed.did("cert", "remove", zone, shown["id"])
    assert installed.did("cert", "list", zone) == ""


def test_a_key_that_does_not_match_is_refused(installed: Installation, zone: str, authority: Authority) -> None:
    one, other = authority.issue(zone), authority.issue(zone)
    said = installed.refused("cert", "add", zone, "--cert", str(one.cert), "--key", str(other.key))
    assert said.startswith(f"holdfast cert add: cannot add the certificate to {zone}: code ")


def test_a_failed_addition_leaves_no_zone(installed: Installation) -> None:
    # An address of one link only (RFC 3927) is no origin: the API refuses the record, which is the last step.
    said = installed.refused("zone", "add", "half.example", "--origin", "http://169.254.1.1:80")
    assert "cannot write the record half.example" in said
    assert said.endswith("; the zone half.example was removed again\n")
    assert "half.example" not in installed.did("zone", "list")


def test_a_list_over_pages_is_whole(installed: Installation) -> None:
    names = {f"page-{number}.example" for number in range(52)}
    headers = {"Authorization": f"Bearer {installed.token}"}
    with httpx.Client(headers=headers, timeout=LIMIT_S, trust_env=False) as client:
        for name in names:
            client.post(f"{installed.api}/zones", json={"name": name}).raise_for_status()
    listed = {one["name"] for one in json.loads(installed.did("zone", "list", "--name", "page-", "--json"))}
    assert listed == names


def test_no_api_there_is_one_sentence_and_status_1(installed: Installation, tmp_path: Path) -> None:
    ended = installed.run("zone", "list", api="http://127.0.0.1:9")
    assert ended.returncode == 1
    assert ended.stderr == (
        "holdfast zone list: cannot list the zones: no Holdfast API at http://127.0.0.1:9/client/v4: is `holdfast run`"
        " running? (HOLDFAST_API)\n"
    )


def test_the_edge_itself_is_not_taken_for_the_api(installed: Installation) -> None:
    ended = installed.run("zone", "list", api=f"http://127.0.0.1:{installed.plain[1]}")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "answered 530" in ended.stderr
