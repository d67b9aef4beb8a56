"""Schemathesis over the API's own description (`/client/v4/openapi.json`), against a running installation.

Law 1: what is described is what is answered: each status, shape, header and method; and nothing is a server's error.
Law 2: it asks as the owner, of one account and one zone, so that it gets past "not found". What would take these, or the
token it asks with, away is asked of something else.
Law 3: the seed is printed, and gives the same run again.
"""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.missing import MissingError

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# What a schema cannot say: which names are hosts, which certificates fit which keys. So that a body that fits the schema is
# refused is no fault; that one that does not fit is accepted is (`negative_data_rejection`).
# And who brings no token is told 403 with code 9106, as the original does, where `missing_required_header` wants 401; that
# nobody gets in so is still looked at (`ignored_auth`).
LEFT_OUT = ("positive_data_acceptance", "missing_required_header")
PHASES = "examples,coverage,fuzzing,stateful"
LIMIT_S = 3 * 3600
ABSENT = "0" * 32


class Subject:
    """An installation under test: its API's address and the owner's token. Makes what the questions are about."""

    def __init__(self, api: str, token: str) -> None:
        self.api = api
        self.token = token
        (account,) = self._ask("GET", "/accounts")
        self.account_id = account["id"]
        self.zone_id = self._ask("POST", "/zones", {"name": "schema.example"})["id"]
        group = self._ask("GET", "/user/tokens/permission_groups")[0]
        policy = {
            "effect": "allow",
            "resources": {f"com.cloudflare.api.account.zone.{self.zone_id}": "*"},
            "permission_groups": [{"id": group["id"]}],
        }
        # A token that may be rolled, disabled and removed, instead of the one that asks.
        self.token_id = self._ask("POST", "/user/tokens", {"name": "prey", "policies": [policy]})["id"]

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  JSON
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", sent, {"Authorization": f"Bearer {self.token}"})
        request.method = method
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["result"]

    def configuration(self) -> str:
        """What schemathesis is told: which things to ask about."""
        prey = "".join(
            f'[[operations]]\ninclude-name = "{method} /client/v4/user/tokens/{{token_id}}{rest}"\n'
            f'parameters = {{ "path.token_id" = "{self.token_id}" }}\n'
            for method, rest in (("PUT", ""), ("DELETE", ""), ("PUT", "/value"))
        )
        return (
            f'[parameters]\n"path.account_id" = "{self.account_id}"\n"path.zone_id" = "{self.zone_id}"\n'
            f'[[operations]]\ninclude-name = "DELETE /client/v4/zones/{{zone_id}}"\n'
            f'parameters = {{ "path.zone_id" = "{ABSENT}" }}\n{prey}'
        )


def run(
    subject: Subject, *, seed: int, examples: int, phases: str = PHASES, more: Sequence[str] = ()
) -> tuple[bool, str]:
    """Ask `examples` questions of each operation. Whether nothing was wrong, and what schemathesis said."""
    if not SCHEMATHESIS.exists():
        raise MissingError("schemathesis is not installed: make setup")
    with TemporaryDirectory() as place:
        configuration = Path(place, "schemathesis.toml")
        configuration.write_text(subject.configuration(), encoding="utf-8")
        done = subprocess.run(
            [
                *(SCHEMATHESIS, "--config-file", configuration, "run", f"{subject.api}/openapi.json"),
                *("--header", f"Authorization: Bearer {subject.token}", "--seed", str(seed), "--no-color"),
                *("--phases", phases, "--max-examples", str(examples), "--exclude-checks", ",".join(LEFT_OUT)),
                *(
                    "--suppress-health-check",
                    "filter_too_much",
                    "--warnings",
                    "off",
                    "--generation-database",
                    "none",
                    "--request-timeout",
                    "30",
                    *more,
                ),
            ],
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        shutil.rmtree(Path(place, ".schemathesis"), ignore_errors=True)
    return done.returncode == 0, f"{done.stdout}{done.stderr}"
