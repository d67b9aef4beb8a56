"""From which addresses this installation's edges connect to origins, for the firewall in front of one.

Law: what is said is what is known. Edges run on the machine of control (they meet over a Unix socket), so they connect from
its addresses: each is listed. An address that a router puts in their place is not known here, and not listed.

Source: Cloudflare API v4, "Cloudflare IPs": open to everybody, as there, within the limit of each address.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from holdfast.api.envelope import Envelope, View, success
from holdfast.api.machine_addresses import machine_addresses

router = APIRouter(prefix="/ips", tags=["IPs"])


class IpsView(View):
    """Addresses, each as a network of one."""

    ipv4_cidrs: list[str]
    ipv6_cidrs: list[str]
    etag: str
    jdcloud_cidrs: list[str] | None = None


@router.get("", response_model=Envelope[IpsView])
async def list_ips(
    networks: Annotated[str | None, Query(max_length=100, description="`jdcloud` adds an empty list.")] = None,
) -> Response:
    """The addresses that origins see edges come from."""
    ipv4, ipv6 = machine_addresses()
    etag = hashlib.sha256(" ".join([*ipv4, *ipv6]).encode()).hexdigest()[:32]
    view: dict[str, Any] = {"ipv4_cidrs": ipv4, "ipv6_cidrs": ipv6, "etag": etag}
    if networks is not None and "jdcloud" in networks.split(","):
        view["jdcloud_cidrs"] = []
    return success(view)
