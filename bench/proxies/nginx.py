"""nginx: https://nginx.org/en/docs/http/websocket.html."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from bench.process import Child
from bench.proxies.proxy import Setting, both_ports_accept, find

_CONFIG = """\
daemon off;
{user}
worker_processes {threads};
worker_rlimit_nofile {files};
pid {directory}/nginx.pid;
error_log {directory}/nginx.log crit;
events {{
    worker_connections {connections};
    multi_accept on;
}}
http {{
    access_log off;
    server_tokens off;
    tcp_nodelay on;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        '' close;
    }}
    upstream origin {{
        server 127.0.0.1:{origin_port};
    }}
    server {{
        listen 127.0.0.1:{plain_port} backlog=4096 reuseport;
        listen 127.0.0.1:{tls_port} ssl backlog=4096 reuseport;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            # The default of one page would cut a message of 16 KiB into pieces, at five times the CPU.
            proxy_buffer_size 32k;
            proxy_buffers 4 32k;
            proxy_busy_buffers_size 64k;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
    }}
}}
"""

# A connection through nginx takes two of a worker's; one worker may have to carry all.
_CONNECTIONS = 16_384


class Nginx:
    """Debian's nginx. Its workers are processes."""

    name = "nginx"

    def command(self, setting: Setting) -> Sequence[str]:
        """Write nginx.conf."""
        config = setting.directory / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user="user root;" if os.geteuid() == 0 else "",
                threads=setting.threads,
                files=_CONNECTIONS + 1_024,
                connections=_CONNECTIONS,
                directory=setting.directory,
                origin_port=setting.origin_port,
                plain_port=setting.plain_port,
                tls_port=setting.tls_port,
                chain=setting.chain,
                key=setting.key,
            ),
            encoding="utf-8",
        )
        return [_program(), "-p", str(setting.directory), "-e", str(setting.directory / "nginx.log"), "-c", str(config)]

    def is_ready(self, _child: Child, setting: Setting) -> bool:
        """Its ports accept."""
        return both_ports_accept(setting)

    def version(self) -> str:
        """`nginx -v`."""
        told = subprocess.run([_program(), "-v"], capture_output=True, text=True, check=True)
        return told.stderr.strip().removeprefix("nginx version: ")


def _program() -> str:
    return find("nginx", otherwise="nginx is not installed (Debian's package nginx-light or nginx); it is left out")
