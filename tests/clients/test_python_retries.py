"""The official Python SDK while control is killed under it: its own second try is enough, and what it wrote is there."""

import os
import signal
from pathlib import Path

from cloudflare import Cloudflare

from tests.clients.conftest import UNLIMITED, given
from tests.integration.run import CONTROL, Run


def test_the_sdk_s_own_retries_carry_it_over_a_control_that_dies(tmp_path: Path) -> None:
    with Run(tmp_path, *UNLIMITED) as run:
        base = f"http://{run.api[0]}:{run.api[1]}/client/v4"
        with Cloudflare(api_token=run.token, base_url=base, max_retries=4) as client:
            zone_id = given(client.zones.create(account={}, name="retried.example")).id
            for deaths in range(3):
                os.kill(run.child(CONTROL, restarts=deaths), signal.SIGKILL)
                value = "off" if deaths % 2 else "on"
                edited = client.zones.settings.edit("websockets", zone_id=zone_id, value=value)
                assert given(edited).model_dump()["value"] == value
                assert [zone.id for zone in client.zones.list()] == [zone_id]
            assert run.child(CONTROL, restarts=3)
