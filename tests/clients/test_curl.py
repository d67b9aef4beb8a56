"""`curl`, as people paste it: what it needs to know is the address and the token."""

import json
import subprocess
from typing import Any

import pytest

from tests.clients.conftest import Zone
from tests.integration.installation import Installation


def curl(installed: Installation, path: str, *arguments: str, token: str | None = None) -> tuple[int, Any]:
    """The status and the answer, which is JSON."""
    bearer = f"Authorization: Bearer {token or installed.token}"
    told = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", f"{installed.api}{path}", *arguments, "-H", bearer],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    body, _, status = told.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


def test_a_setting_is_patched_and_read(installed: Installation, zone: Zone) -> None:
    path = f"/zones/{zone.id}/settings/websockets"
    status, body = curl(installed, path, "-X", "PATCH", "--data", '{"value": "off"}')
    assert (status, body["success"], body["errors"]) == (200, True, [])
    assert curl(installed, path)[1]["result"]["value"] == "off"


# curl calls a body a form unless it is told otherwise, and may ask before it sends a long one.
@pytest.mark.parametrize(
    "header", ["Content-Type: application/json", "Content-Type: text/plain", "Content-Type:", "Expect: 100-continue"]
)
def test_a_body_is_json_whatever_it_is_called(installed: Installation, zone: Zone, header: str) -> None:
    body = json.dumps({"type": "A", "name": "www", "content": "192.0.2.1", "ttl": 1})
    status, answer = curl(installed, f"/zones/{zone.id}/dns_records", "-H", header, "--data", body)
    assert (status, answer["result"]["name"]) == (200, f"www.{zone.name}")


def test_a_body_may_come_from_a_file(installed: Installation, zone: Zone, tmp_path: Any) -> None:
    file = tmp_path / "record.json"
    file.write_text(json.dumps({"type": "AAAA", "name": "@", "content": "2001:db8::1", "ttl": 1, "proxied": True}))
    status, answer = curl(installed, f"/zones/{zone.id}/dns_records", "--json", f"@{file}")
    assert (status, answer["result"]["name"]) == (200, zone.name)


def test_words_that_are_no_json_are_refused_in_the_envelope(installed: Installation, zone: Zone) -> None:
    status, answer = curl(installed, f"/zones/{zone.id}/settings/websockets", "-X", "PATCH", "--data", "value=off")
    assert (status, answer["success"], answer["errors"][0]["code"]) == (400, False, 6007)


def test_nobody_is_told_so(installed: Installation) -> None:
    status, answer = curl(installed, "/zones", token="x" * 50)
    assert status in {401, 403}
    assert answer["errors"][0]["code"] >= 1000
    assert curl(installed, "/nothing/here")[0] == 404
