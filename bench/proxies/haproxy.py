"""HAProxy: https://docs.haproxy.org/2.6/configuration.html."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from bench.process import Child
from bench.proxies.proxy import Setting, both_ports_accept, find

_CONFIG = """\
global
    nbthread {threads}
    maxconn {connections}
    # The default of 16 KiB would cut a message of that length and its header in two.
    tune.bufsize 32768
    tune.ssl.default-dh-param 2048
    ssl-default-bind-options ssl-min-ver TLSv1.3

defaults
    mode http
    timeout connect 10s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    timeout http-request 10s
    option forwardfor

frontend edge
    bind 127.0.0.1:{plain_port} backlog 4096
    bind 127.0.0.1:{tls_port} backlog 4096 ssl crt {chain_and_key} alpn http/1.1
    maxconn {connections}
    default_backend origin

backend origin
    server echo 127.0.0.1:{origin_port} maxconn {connections}
"""

# HAProxy refuses more than half of the 20,000 files a process may open here.
_CONNECTIONS = 9_000


class HAProxy:
    """Debian's haproxy."""

    name = "haproxy"

    def command(self, setting: Setting) -> Sequence[str]:
        """Write haproxy.cfg."""
        config = setting.directory / "haproxy.cfg"
        config.write_text(
            _CONFIG.format(
                threads=setting.threads,
                connections=_CONNECTIONS,
                plain_port=setting.plain_port,
                tls_port=setting.tls_port,
                origin_port=setting.origin_port,
                chain_and_key=setting.chain_and_key,
            ),
            encoding="utf-8",
        )
        return [_program(), "-db", "-f", str(config)]

    def is_ready(self, _child: Child, setting: Setting) -> bool:
        """Its ports accept."""
        return both_ports_accept(setting)

    def version(self) -> str:
        """`haproxy -v`, its first line."""
        told = subprocess.run([_program(), "-v"], capture_output=True, text=True, check=True)
        return " ".join(told.stdout.split("\n")[0].split()[:3]).replace("HAProxy version ", "haproxy/")


def _program() -> str:
    return find("haproxy", otherwise="HAProxy is not installed (Debian's package haproxy); it is left out")
