"""`holdfast connect` through an edge: a newcomer's first conversation, and what a refusal looks like."""

import subprocess

from tests.integration.certificates import Authority
from tests.integration.edge import COMMAND, START_LIMIT_S, Edge


def connect(*arguments: object, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run `holdfast connect`, with its standard input a pipe."""
    command = [str(COMMAND), "connect", *map(str, arguments)]
    return subprocess.run(command, input=said, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)


def test_lines_are_sent_and_replies_shown(edge: Edge) -> None:
    ended = connect(f"ws://127.0.0.1:{edge.plain[1]}/echo", said="hello\ngrüße 🌊\n")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["hello", "grüße 🌊"]


def test_over_tls_with_an_authority(edge: Edge, authority: Authority) -> None:
    url = f"wss://localhost:{edge.tls[1]}/echo"
    ended = connect(url, "--cacert", authority.file, said="secret\n")
    assert (ended.returncode, ended.stdout.splitlines()) == (0, ["secret"]), ended.stderr
    refused = connect(url, said="secret\n")
    assert refused.returncode != 0
    assert "certificate" in refused.stderr.lower()


def test_a_refusal_shows_the_status_and_the_ray(edge: Edge) -> None:
    ended = connect(f"ws://127.0.0.1:{edge.plain[1]}/status/401")
    assert ended.returncode != 0
    assert "401" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_fault_of_the_origin_is_explained(edge: Edge) -> None:
    ended = connect(f"ws://127.0.0.1:{edge.plain[1]}/bad-accept")
    assert ended.returncode != 0
    assert "502" in ended.stderr
    assert "Sec-WebSocket-Accept" in ended.stderr + ended.stdout
