"""What the edge knows of a client, as `request.cf`: `request.cf.country`, `request.cf.tlsVersion`.

Law: an attribute of the original's is there; None where nobody knows it, as without a database of countries. As a dictionary it has what is known.

Source: "IncomingRequestCfProperties", https://developers.cloudflare.com/workers/runtime-apis/request/.
"""

from __future__ import annotations

from typing import Any

from holdfast.workers.sdk.values import JsDict

NAMES = frozenset(
    {
        "asn", "asOrganization", "city", "clientAcceptEncoding", "clientTcpRtt", "colo", "continent", "country", "httpProtocol",
        "isEUCountry", "latitude", "longitude", "metroCode", "postalCode", "region", "regionCode", "requestPriority", "timezone",
        "tlsCipher", "tlsClientAuth", "tlsVersion",
    }
)  # fmt: skip


class ClientFacts(JsDict):
    """`request.cf`."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - texts and numbers
        return self.get(name) if name in NAMES else super().__getattr__(name)
