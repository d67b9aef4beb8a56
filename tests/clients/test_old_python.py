"""The official Python SDK of before 2024 (2.20) and its command line `cli4`, in an environment of their own."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation
from tests.meta.tree import ROOT

BIN = ROOT / ".venv" / "old-client" / "bin"
ZONE = "/zones/:old.example"
SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import CloudFlare
client = CloudFlare.CloudFlare(base_url=sys.argv[1], token=sys.argv[2])
names = [f"lib-{number}.example" for number in range(3)]
ids = [client.zones.post(data={"name": name})["id"] for name in names]
listed = [zone["name"] for zone in client.zones.get(params={"name": "starts_with:lib-", "per_page": 50})]
client.zones.settings.ssl.patch(ids[0], data={"value": "strict"})
record = client.zones.dns_records.post(ids[0], data={"name": "www", "type": "A", "content": "192.0.2.1", "ttl": 1})
client.zones.dns_records.put(ids[0], record["id"], data={"name": "www", "type": "A", "content": "192.0.2.2", "ttl": 1})
records = [one["content"] for one in client.zones.dns_records.get(ids[0])]
try:
    client.zones.get("0" * 32)
except CloudFlare.exceptions.CloudFlareAPIError as error:
    missing = int(error)
for zone_id in ids:
    client.zones.delete(zone_id)
print(json.dumps([sorted(listed), client.user.tokens.verify.get()["status"], records, missing]))
"""


def run(*command: str | Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    assert BIN.exists(), f"there is no {BIN.relative_to(ROOT)}: `make test` installs it"
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **more}
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=100, check=False)


class Cli4:
    """`cli4` against an installation, told by its two variables of the environment alone."""

    def __init__(self, installed: Installation, home: Path) -> None:
        self._more = {"CLOUDFLARE_API_URL": installed.api, "CLOUDFLARE_API_TOKEN": installed.token}
        self._home = home

    def __call__(self, *arguments: str) -> Any:
        """What it printed, which is JSON."""
        told = run(BIN / "cli4", *arguments, home=self._home, **self._more)
        assert told.returncode == 0, told.stderr[-500:]
        return json.loads(told.stdout)

    def refused(self, *arguments: str) -> str:
        """The last line of what it said, where it must fail."""
        told = run(BIN / "cli4", *arguments, home=self._home, **self._more)
        assert told.returncode != 0, told.stdout
        return told.stderr.splitlines()[-1]


@pytest.fixture
def cli4(installed: Installation, tmp_path: Path) -> Iterator[Cli4]:
    """The command, and a zone."""
    command = Cli4(installed, tmp_path)
    assert command("--post", "name=old.example", "/zones")["name"] == "old.example"
    yield command
    command("--delete", ZONE)


def test_cli4_lists_zones_and_finds_them_by_name(cli4: Cli4) -> None:
    assert [zone["name"] for zone in cli4("/zones")] == ["old.example"]
    assert cli4(ZONE)["status"] == "active"
    assert cli4("--raw", "per_page=5", "/zones")["result_info"]["total_count"] == 1
    assert cli4("/user/tokens/verify")["status"] == "active"


def test_cli4_sets_settings_and_is_told_what_it_may_not(cli4: Cli4) -> None:
    assert cli4("--patch", "value=off", f"{ZONE}/settings/websockets")["value"] == "off"
    values = {one["id"]: one["value"] for one in cli4(f"{ZONE}/settings")}
    assert values["websockets"] == "off"
    assert " 1007 " in cli4.refused("--patch", "value=perhaps", f"{ZONE}/settings/websockets")
    cli4.refused("/zones/:absent.example")


def test_cli4_writes_records(cli4: Cli4) -> None:
    record = ("name=www", "type=A", "content=192.0.2.1", "ttl=1", "proxied=true")
    made = cli4("--post", *record, f"{ZONE}/dns_records")
    assert (made["name"], made["proxied"]) == ("www.old.example", True)
    (listed,) = cli4(f"{ZONE}/dns_records")
    assert listed == made
    assert cli4("--delete", f"{ZONE}/dns_records/:{made['id']}") == {"id": made["id"]}


def test_cli4_writes_rulesets(cli4: Cli4, tmp_path: Path) -> None:
    rules = tmp_path / "ruleset.json"
    phase = "http_request_firewall_custom"
    made = {"name": "old", "kind": "zone", "phase": phase, "rules": [{"action": "block", "expression": "ssl"}]}
    rules.write_text(json.dumps(made))
    ruleset = cli4("--post", f"@{rules}", f"{ZONE}/rulesets")
    assert [rule["action"] for rule in ruleset["rules"]] == ["block"]
    assert ruleset["id"] in {one["id"] for one in cli4(f"{ZONE}/rulesets")}
    assert cli4(f"{ZONE}/rulesets/:{ruleset['id']}") == ruleset


def test_the_library_does_what_its_scripts_do(installed: Installation, tmp_path: Path) -> None:
    told = run(BIN / "python", "-c", SCRIPT, installed.api, installed.token, home=tmp_path)
    assert told.returncode == 0, told.stderr[-1000:]
    assert json.loads(told.stdout) == [
        ["lib-0.example", "lib-1.example", "lib-2.example"],
        "active",
        ["192.0.2.2"],
        1001,
    ]
