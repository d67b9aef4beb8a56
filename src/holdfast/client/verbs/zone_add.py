"""`holdfast zone add`: a zone, and with `--origin` all that it needs to serve.

Law 1: the records come last, so that the zone serves nothing before everything it needs is there.
Law 2: all or nothing: if a step fails, the zone is removed again; if that fails too, the sentence says what is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from holdfast.client.api.answer import ApiRefused, as_object, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.zones import Zone, find_account, host_name, zone_of
from holdfast.client.verbs.origin_plan import OriginPlan, origin_plan
from holdfast.client.verbs.output import Output
from holdfast.errors import HoldfastError, UsageError
from holdfast.model.option import spelled, switch
from holdfast.model.origin_url import OriginUrl

if TYPE_CHECKING:
    from holdfast.client.api.connection import Api

_PHASE = "http_request_origin"


class ZoneAddError(HoldfastError):
    """A step after the zone's creation failed. Has the exit status of that failure."""

    def __init__(self, sentence: str, exit_status: int) -> None:
        super().__init__(sentence)
        self.exit_status = exit_status  # type: ignore[misc]  # the class's own is the default


def _origin(text: str, flag: str) -> OriginUrl:
    return OriginUrl.parse(text, field=flag)


def _plan(text: str, flag: str) -> str:
    if not (text.isascii() and text.replace("_", "").isalnum()):
        raise UsageError(flag, text, "the name of a plan, such as free, pro, business or enterprise")
    return text.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneAddOptions(ApiOptions):
    """The zone to create."""

    name: str = dataclasses.field(metadata=spelled("NAME", "NAME", "The domain, such as example.com.", host_name))
    origin: OriginUrl | None = dataclasses.field(
        default=None,
        metadata=spelled("--origin", "URL", "Where its requests go: http:// or https:// with host and port.", _origin),
    )
    insecure: bool = dataclasses.field(
        default=False, metadata=switch("--insecure", "Take any certificate of an https origin (ssl full, not strict).")
    )
    no_wildcard: bool = dataclasses.field(
        default=False, metadata=switch("--no-wildcard", "Write a record for NAME only, not for *.NAME too.")
    )
    host_header: str | None = dataclasses.field(
        default=None,
        metadata=spelled("--host-header", "HOST", "The Host that the origin sees, instead of the client's.", host_name),
    )
    plan: str | None = dataclasses.field(
        default=None, metadata=spelled("--plan", "PLAN", "The plan of the zone.", _plan, default="free")
    )
    account: str | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--account",
            "ACCOUNT",
            "The account that owns the zone: its id or name.",
            lambda text, _: text,
            default="the token's own",
        ),
    )

    def __post_init__(self) -> None:
        if self.origin is None:
            for flag, given in (("--insecure", self.insecure), ("--host-header", self.host_header)):
                if given:
                    raise UsageError(flag, flag, "--origin with it: the URL of the origin that it is about")
        self.origin_plan()

    def origin_plan(self) -> OriginPlan | None:
        """What `--origin` means; None without it. Raises UsageError."""
        if self.origin is None:
            return None
        return origin_plan(
            self.name,
            self.origin,
            is_insecure=self.insecure,
            has_wildcard=not self.no_wildcard,
            host_header=self.host_header,
        )


# One step after the creation: what it is called, and the call.
_Step = tuple[str, Callable[[], object]]


def add_zone(options: ZoneAddOptions, api: Api, output: Output) -> None:
    """Create the zone, then the plan, the setting, the rule and the records, in this order."""
    what = f"create the zone {options.name}"
    body: dict[str, object] = {"name": options.name, "type": "full"}
    if options.account is not None:
        body["account"] = {"id": find_account(api, options.account)}
    try:
        result = as_object(api.send("POST", "/zones", what=what, body=body), what=what)
    except ApiRefused as error:
        if options.account is None and "/account/id" in error.pointers:
            raise UsageError(
                "--account", None, "the id or name of one of your accounts, of which there are several"
            ) from error
        raise
    zone = zone_of(result, what=what)
    done: list[str] = []
    try:
        for told, step in _steps(options, api, zone):
            step()
            done.append(told)
    except BaseException as error:
        _take_back(api, zone, done, error)
        raise
    account = text_of(result, "account", "name") or text_of(result, "account", "id")
    output.done(result, f"{zone.name}: created in the account {account or 'of the token'}, id {zone.id}", *done)


def _steps(options: ZoneAddOptions, api: Api, zone: Zone) -> Iterator[_Step]:
    if options.plan not in (None, "free"):
        told, body = f"plan: {options.plan}", {"rate_plan": {"id": options.plan}}
        yield (
            told,
            partial(
                api.send,
                "POST",
                zone.path("subscription"),
                what=f"put {zone.name} on the plan {options.plan}",
                body=body,
            ),
        )
    if (plan := options.origin_plan()) is not None:
        yield from _origin_steps(plan, api, zone)


def _origin_steps(plan: OriginPlan, api: Api, zone: Zone) -> Iterator[_Step]:
    yield (
        f"ssl: {plan.ssl} ({_SSL_MEANS[plan.ssl]})",
        partial(
            api.send, "PATCH", zone.path("settings", "ssl"), what=f"set ssl of {zone.name}", body={"value": plan.ssl}
        ),
    )
    entrypoint = zone.path("rulesets", "phases", _PHASE, "entrypoint")
    what = f"write the origin rule of {zone.name}"
    yield f"origin rule: {_route(plan)}", partial(api.send, "PUT", entrypoint, what=what, body={"rules": [*plan.rules]})
    for record in plan.records:
        what = f"write the record {record['name']}"
        yield (
            f"record: {record['name']} {record['type']} {record['content']}, proxied",
            partial(api.send, "POST", zone.path("dns_records"), what=what, body=record),
        )


_SSL_MEANS = {
    "flexible": "plain HTTP to the origin",
    "full": "TLS to the origin, any certificate",
    "strict": "TLS to the origin, its certificate verified",
}


def _route(plan: OriginPlan) -> str:
    what = "plan the origin rule"
    parameters = as_object(plan.rules[0]["action_parameters"], what=what)
    said = [f"every request to port {as_object(parameters['origin'], what=what)['port']}"]
    if name := text_of(parameters, "sni", "value"):
        said.append(f"TLS for the name {name}")
    if host := text_of(parameters, "host_header"):
        said.append(f"Host {host}")
    return ", ".join(said)


def _take_back(api: Api, zone: Zone, done: list[str], error: BaseException) -> None:
    """Remove the zone again, and raise what the person should hear where the failure was a HoldfastError."""
    reason = str(error) if isinstance(error, HoldfastError) else "interrupted"
    status = error.exit_status if isinstance(error, HoldfastError) else 1
    try:
        api.send("DELETE", zone.path(), what=f"remove the zone {zone.name} again")
    except HoldfastError as second:
        there = ", ".join(["the zone itself", *done])
        raise ZoneAddError(
            f"{reason}; nor could it be taken back: {second}; done so far: {there}; to undo: `holdfast zone remove {zone.id}`",
            status,
        ) from error
    if isinstance(error, HoldfastError):
        raise ZoneAddError(f"{reason}; the zone {zone.name} was removed again", status) from error
