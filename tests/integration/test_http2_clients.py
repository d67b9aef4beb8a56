"""Other people's HTTP/2 clients through the edge: curl (nghttp2) and Node."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.waiting import LIMIT_S

HERE = Path(__file__).parent


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"body"), ("PUT", bytes(300_000))])
def test_curl_is_served(edge: Edge, authority: Authority, tmp_path: Path, method: str, body: bytes) -> None:
    host, port = edge.tls
    sent = tmp_path / "body"
    sent.write_bytes(body)
    said = subprocess.run(
        [
            *("curl", "--http2", "--silent", "--show-error", "--cacert", str(authority.file), "--request", method),
            *("--resolve", f"example.test:{port}:{host}", "--write-out", "\n%{http_version} %{http_code}"),
            *(("--data-binary", f"@{sent}") if body else ()),
            f"https://example.test:{port}/dump",
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout
    answer, _, summary = said.rpartition("\n")
    assert summary == "2 200"
    assert json.loads(answer)["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_node_asks_and_opens_a_websocket_on_one_connection(edge: Edge, authority: Authority) -> None:
    command = ["node", str(HERE / "http2_converse.mjs"), str(edge.tls[1]), str(authority.file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert hashlib.sha256(bytes([7]) * 300_000).hexdigest() in said.pop("upload")
    assert said == {
        "takesWebSockets": True,
        "uploadStatus": 200,
        "status": 200,
        "protocol": "chat",
        "echo": "hello",
        "reset": 0,
    }
