"""The official TypeScript SDK (npm `cloudflare`) against a running installation."""

import json
import subprocess
from pathlib import Path

from tests.integration.installation import Installation

SCRIPT = Path(__file__).with_name("typescript_sdk.mjs")
EXPECTED = {
    "zones": [f"ts-{number}.example" for number in range(7)],
    "zone": "free",
    "paused": True,
    "before": "on",
    "after": "off",
    "batch": [1, 1],
    "records": ["AAAA six.ts-0.example 2001:db8::1"],
    "rules": ["true"],
    "rulesets": [True],
    "managed": True,
    "custom": ["skip", "block"],
    "versions": ["2", "1"],
    "verified": "active",
    "visible": ["ts-0.example"],
    "forbidden": {"kind": "PermissionDeniedError", "status": 403, "codes": [10000]},
    "rolled": True,
    "stale": {"kind": "AuthenticationError", "status": 401, "codes": [1000]},
    "bad": {"kind": "BadRequestError", "status": 400, "codes": [1007]},
    "missing": {"kind": "NotFoundError", "status": 404, "codes": [1001]},
    "audited": True,
    "plans": 4,
    "ips": True,
    "left": 0,
}


def test_zones_settings_records_rules_tokens_and_errors(installed: Installation) -> None:
    told = subprocess.run(
        ["node", SCRIPT, installed.api, installed.token], capture_output=True, text=True, timeout=100, check=False
    )
    assert told.returncode == 0, told.stderr[-2000:]
    assert json.loads(told.stdout) == EXPECTED
