"""The examples of docs/releases.md are what a service manager takes, and agree with the code and with each other.

Law: the code is the authority for flags, variables, paths and times; systemd's own checker is one for units where it is there.
"""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast.app.words import CLOSING_LIMIT_S
from holdfast.config.run import Config
from holdfast.config.sources import DEFAULT, effective
from holdfast.model.option import spelling_of
from holdfast.sealing import KEY_VARIABLE
from tests.meta.tree import ROOT

UNITS = ROOT / "examples" / "systemd"
MANIFEST = ROOT / "examples" / "kubernetes" / "holdfast.yaml"
# What the units assume to be installed.
PROGRAM = "/opt/holdfast/bin/holdfast"


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """Section -> key -> values, in their order."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return found


def variables() -> set[str]:
    """The environment variables of a configuration."""
    return {spelling_of(field).environment for field in dataclasses.fields(Config)}


def of_the_service() -> dict[str, str]:
    return dict(value.split("=", 1) for value in unit("holdfast.service")["Service"]["Environment"])


def of_the_pod() -> dict[str, str]:
    """The variables of the manifest, read as the lines that they are."""
    text = MANIFEST.read_text(encoding="utf-8")
    pairs = re.findall(r'- name: (HOLDFAST_\w+)\n +value: "?([^"\n]+)"?\n', text)
    assert len(pairs) + len(secrets_of_the_pod()) == text.count("name: HOLDFAST_")
    return dict(pairs)


def secrets_of_the_pod() -> dict[str, str]:
    """Those variables that come from the secret, and which of its keys each one is."""
    text = MANIFEST.read_text(encoding="utf-8")
    found = re.findall(
        r"- name: (HOLDFAST_\w+)\n +valueFrom:\n +secretKeyRef:\n +name: holdfast\n +key: ([\w-]+)\n", text
    )
    return dict(found)


def test_the_variables_are_options_and_their_values_can_be_used() -> None:
    for environment in (of_the_service(), of_the_pod()):
        assert set(environment) <= variables()
        # As `run` reads them: what can be wrong with a value is wrong here.
        found = effective({}, environment, system_file=Path("none"))
        assert set(found.origins.values()) == {DEFAULT, *environment}
        assert found.warnings == ()


def test_the_service_is_reloaded_by_a_release_and_stopped_by_its_supervisor_alone() -> None:
    service = unit("holdfast.service")["Service"]
    assert (service["Type"], service["KillMode"]) == (["notify"], ["mixed"])
    assert (service["ExecStart"], service["ExecReload"]) == ([f"{PROGRAM} run"], [f"{PROGRAM} release"])


def test_the_sockets_are_just_those_that_the_service_asks_for() -> None:
    sockets = unit("holdfast.socket")["Socket"]
    asked = of_the_service()
    assert sockets["ListenStream"] == [asked["HOLDFAST_LISTEN"], asked["HOLDFAST_TLS_LISTEN"]]
    assert sockets["BindIPv6Only"] == ["ipv6-only"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    program = tmp_path / "holdfast"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("holdfast.service", "holdfast.socket"):
        text = (UNITS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(PROGRAM, str(program)))
    units = [str(tmp_path / name) for name in ("holdfast.service", "holdfast.socket")]
    checked = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_pod_has_as_long_to_end_as_its_drain_may_take() -> None:
    text = MANIFEST.read_text(encoding="utf-8")
    grace = re.search(r"terminationGracePeriodSeconds: (\d+)\n", text)
    slept = re.search(r'command: \["sleep", "(\d+)"\]', text)
    assert grace
    assert slept
    asked = of_the_pod()
    drain = int(asked["HOLDFAST_RELEASE_DEADLINE"]) + int(asked["HOLDFAST_RELEASE_SPREAD"]) + CLOSING_LIMIT_S
    assert int(grace[1]) >= drain + int(slept[1]) + 10


def test_while_a_pod_drains_another_one_takes_new_connections() -> None:
    text = MANIFEST.read_text(encoding="utf-8")
    replicas = re.search(r"replicas: (\d+)\n", text)
    assert replicas
    # A StatefulSet starts the next pod when the one before has ended, which takes as long as the drain.
    assert int(replicas[1]) > 1
    # So they share the database, and the key of what is sealed there.
    database = spelling_of(next(field for field in dataclasses.fields(Config) if field.name == "database_url"))
    assert set(secrets_of_the_pod()) == {database.environment, KEY_VARIABLE}
    assert all(f"--from-literal={key}=" in text for key in secrets_of_the_pod().values())
    # Pods have names of their own by the service that governs them, if it is one without an address.
    governing = re.search(r"serviceName: (\S+)\n", text)
    assert governing
    assert f"kind: Service\nmetadata:\n  name: {governing[1]}\nspec:\n  clusterIP: None\n" in text


def test_a_pod_is_ready_by_the_edge_alone_and_the_api_has_a_service_of_its_own() -> None:
    text = MANIFEST.read_text(encoding="utf-8")
    probes = re.findall(r"(\w+Probe):\n(?: +#.*\n)* +(\w+):\n +port: (\w+)\n", text)
    assert probes == [("readinessProbe", "tcpSocket", "edge")]
    assert text.count("timeoutSeconds: ") == len(probes)
    assert re.findall(r"targetPort: (\w+)\n", text) == ["edge", "api"]
    source = (ROOT / "src" / "holdfast" / "control" / "service.py").read_text(encoding="utf-8")
    assert '"/readyz"' in source
    ports = dict(re.findall(r"- name: (edge|api)\n +containerPort: (\d+)\n", text))
    asked = of_the_pod()
    assert asked["HOLDFAST_LISTEN"].endswith(f":{ports['edge']}")
    assert asked["HOLDFAST_CONTROL_LISTEN"].endswith(f":{ports['api']}")
    assert f":{ports['api']}/readyz" in text
