"""What an expression is evaluated against: one request, and the facts that are known beside it.

Law 1: nothing here is looked up: time, place and zone come in as values. Law 2: what must be computed from a request (its
headers as a map, its cookies, its address as a number) is computed when first asked for, and once a request. (`gc=False`: as
for `Request`, they hold nothing that could be in a cycle.)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from holdfast.model.request import Request

if TYPE_CHECKING:
    from holdfast.rules.lists import RuleList
    from holdfast.rules.url_normalization import UrlForm

# Where there are no lists. What lists are made of is loaded with the first of them: most edges have none.
NO_LISTS: Mapping[str, RuleList] = MappingProxyType({})


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where an address is, as far as a database of addresses tells; None: it does not. (Of subdivisions "" says that.)

    `asn` is a number of an autonomous system, `continent` and `country` are two letters (ISO 3166-1), subdivisions
    are ISO 3166-2's, `latitude` and `longitude` decimal degrees as text, `timezone` an IANA name.
    """

    asn: int | None = None
    city: str | None = None
    continent: str | None = None
    country: str | None = None
    in_european_union: bool | None = None
    latitude: str | None = None
    longitude: str | None = None
    metro_code: str | None = None
    postal_code: str | None = None
    region: str | None = None
    region_code: str | None = None
    subdivision_1: str = ""
    subdivision_2: str = ""
    timezone: str | None = None


NOWHERE = Place()


class KnownFacts(Protocol):
    """What is known beside the request: values, as `Facts` has them, or what finds each when it is first asked for."""

    @property
    def zone_name(self) -> str: ...

    @property
    def zone_plan(self) -> str: ...

    @property
    def now_ms(self) -> int | None: ...

    @property
    def place(self) -> Place: ...

    @property
    def server_ip(self) -> str | None: ...

    @property
    def random_seed(self) -> str | None: ...

    @property
    def upstream_zone(self) -> str: ...

    @property
    def lists(self) -> Mapping[str, RuleList]: ...

    @property
    def url_form(self) -> UrlForm: ...


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known beside the request. What is None is missing, and every comparison with it is false.

    `zone_name` is the zone's ("example.com"), `zone_plan` its plan as `cf.zone.plan` has it ("ENT"), `now_ms` Unix
    milliseconds, `place` where the client is, `server_ip` the address it connected to, `random_seed` 16 bytes that are
    new for each request (one character a byte), `upstream_zone` the zone of the Worker that makes this request ("": none),
    `lists` what rules may name as `$name`, without the "$", `url_form` how paths are normalised before rules see them.
    """

    zone_name: str = ""
    zone_plan: str = ""
    now_ms: int | None = None
    place: Place = NOWHERE
    server_ip: str | None = None
    random_seed: str | None = None
    upstream_zone: str = ""
    lists: Mapping[str, RuleList] = NO_LISTS
    # A zone's that says nothing.
    url_form: UrlForm = "cloudflare"


NOTHING_KNOWN = Facts()


class EvaluationContext(msgspec.Struct, eq=False, gc=False):
    """One request's values. Make one a request and give it to every expression: what one computed, the others use.

    `path` is as rules see it, once one has asked (`scheme`): most do, so it has a place of its own. `computed` is by field
    name, filled by the readers of `scheme`.
    """

    request: Request
    facts: KnownFacts = NOTHING_KNOWN
    path: str | None = None
    computed: dict[str, Any] = {}
