"""`holdfast token`: who may ask the API, and for what.

Law 1: a token's value is printed where it is made (create, roll), alone on stdout, and nowhere else.
Law 2: tokens are the user's own; with `--of-account` they are an account's.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.client.api.answer import ApiFailed, JsonObject, as_object, as_objects, id_of, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.paths import is_id, path_of
from holdfast.client.api.zones import find_account, find_zone, the_only, zone_or_id
from holdfast.client.printable import printable
from holdfast.client.verbs import token_policy
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output, cell
from holdfast.errors import UsageError
from holdfast.model.option import spelled

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

_TOKENS_A_PAGE = 50
_MAX_NAME_CHARS = 120


def _text(text: str, flag: str) -> str:
    if not text.strip():
        raise UsageError(flag, text, "a name or an id")
    return text.strip()


def _name(text: str, flag: str) -> str:
    if not text.strip() or len(text) > _MAX_NAME_CHARS:
        raise UsageError(flag, text, f"a name of at most {_MAX_NAME_CHARS} characters")
    return text


def _zone(text: str, flag: str) -> str:
    return text if text == token_policy.ALL else zone_or_id(text, flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenListOptions(ApiOptions):
    """Whose tokens."""

    of_account: str | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--of-account", "ACCOUNT", "Tokens that belong to this account (id or name), not to the user.", _text
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOptions(TokenListOptions):
    """Which token."""

    named: str = dataclasses.field(metadata=spelled("TOKEN", "TOKEN", "The token: its id, or its name.", _text))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCreateOptions(TokenListOptions):
    """The token to make."""

    name: str | None = dataclasses.field(
        default=None, metadata=spelled("--name", "NAME", "What to call it (required).", _name)
    )
    permissions: tuple[str, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--permission", "NAME", "What it may do, such as 'Zone Settings Write'. Repeatable.", _text, is_many=True
        ),
    )
    zones: tuple[str, ...] = dataclasses.field(
        default=(),
        metadata=spelled("--zone", "ZONE", "In which zone: name, id, or '*'. Repeatable.", _zone, is_many=True),
    )
    accounts: tuple[str, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--account", "ACCOUNT", "In which account: id, name, or '*'. Repeatable.", _text, is_many=True
        ),
    )
    expires: token_policy.Expiry | None = dataclasses.field(
        default=None,
        metadata=spelled("--expires", "WHEN", "When it ends: 30d, 12h, or 2027-01-31T12:00:00Z.", token_policy.expiry),
    )
    ips: tuple[str, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--ip",
            "NETWORK",
            "From where it may be used, such as 192.0.2.0/24. Repeatable.",
            token_policy.network,
            is_many=True,
        ),
    )

    def __post_init__(self) -> None:
        if self.name is None:
            raise UsageError("--name", None, "what to call the token")
        if not self.permissions:
            raise UsageError("--permission", None, "at least one, such as --permission 'Zone Read'")


def list_tokens(options: TokenListOptions, api: Api, output: Output) -> None:
    """A row a token."""
    found = _tokens(api, _base(options, api))
    keys = ("name", "status", "expires_on", "last_used_on", "id")
    titles = ("name", "status", "expires", "last used", "id")
    output.table(found, titles, [[one.get(key) for key in keys] for one in found], empty="no tokens")


def create_token(options: TokenCreateOptions, api: Api, output: Output) -> None:
    """Look the permissions up, make the token, print its value once."""
    base, what = _base(options, api), f"create the token {options.name}"
    groups = as_objects(api.get(f"{base}/permission_groups", what="read the permission groups"), what=what)
    body: dict[str, object] = {
        "name": options.name,
        "policies": token_policy.policies(
            token_policy.groups_named(options.permissions, groups),
            zones=_ids(options.zones, lambda zone: zone if is_id(zone) else find_zone(api, zone).id),
            accounts=_ids(options.accounts, lambda account: find_account(api, account)),
            user_id=lambda: id_of(as_object(api.get("/user", what=what), what=what), what=what),
        ),
    }
    if options.expires is not None:
        body["expires_on"] = token_policy.expires_on(options.expires, now=dt.datetime.now(dt.UTC))
    if options.ips:
        body["condition"] = {"request_ip": {"in": list(options.ips)}}
    made = as_object(api.send("POST", base, what=what, body=body), what=what)
    value = text_of(made, "value")
    if not value:
        raise ApiFailed(f"cannot {what}: the API made a token and did not say its value", may_be_done=True)
    output.done(made, value)
    output.notice(f"token {options.name}, id {cell(made.get('id'))}: this is the only time its value is shown")


def _ids(named: tuple[str, ...], found: Callable[[str], str]) -> list[str]:
    return [one if one == token_policy.ALL else found(one) for one in named]


def show_token(options: TokenOptions, api: Api, output: Output) -> None:
    """One token: its state, and a line a policy."""
    _, one = _find(options, api)
    keys = ("name", "id", "status", "issued_on", "modified_on", "last_used_on", "not_before", "expires_on")
    facts = [(key, one.get(key)) for key in keys]
    condition = as_object(one.get("condition") or {}, what="show the token").get("request_ip")
    output.facts(one, [*facts, ("request_ip", condition), *(("policy", _policy(policy)) for policy in _policies(one))])


def _policies(token: JsonObject) -> list[JsonObject]:
    return as_objects(token.get("policies") or [], what="show the token")


def _policy(policy: JsonObject) -> str:
    groups = as_objects(policy.get("permission_groups") or [], what="show the token")
    names = ", ".join(text_of(group, "name") or text_of(group, "id") for group in groups)
    resources = as_object(policy.get("resources") or {}, what="show the token")
    on = ", ".join(_resource(urn, inner) for urn, inner in resources.items())
    return f"{text_of(policy, 'effect')} {names} on {on}"


def _resource(urn: str, inner: object) -> str:
    return urn if isinstance(inner, str) else f"{urn} ({', '.join(as_object(inner, what='show the token'))})"


def verify_token(options: TokenListOptions, api: Api, output: Output) -> None:
    """Ask whether the token that asks is good."""
    what = "verify the token"
    one = as_object(api.get(f"{_base(options, api)}/verify", what=what), what=what)
    status = text_of(one, "status") or "unknown"
    ends = f", ends {cell(one['expires_on'])}" if one.get("expires_on") else ""
    output.done(one, f"the token {cell(one.get('id'))} is {status}{ends}")


def roll_token(options: TokenOptions, api: Api, output: Output) -> None:
    """Give it a new value; the old one is void."""
    path, one = _find(options, api)
    what = f"roll the token {_called(one)}"
    value = api.send("PUT", f"{path}/value", what=what, body={})
    if not isinstance(value, str) or not value:
        raise ApiFailed(f"cannot {what}: the API did not say the new value", may_be_done=True)
    output.done(value, value)
    output.notice(f"token {_called(one)}: the old value is void; this is the only time the new one is shown")


def disable_token(options: TokenOptions, api: Api, output: Output) -> None:
    """Refuse it until it is enabled again."""
    _set_status(options, api, output, "disabled")


def enable_token(options: TokenOptions, api: Api, output: Output) -> None:
    """Accept it again."""
    _set_status(options, api, output, "active")


def _set_status(options: TokenOptions, api: Api, output: Output, status: str) -> None:
    path, one = _find(options, api)
    what = f"{'disable' if status == 'disabled' else 'enable'} the token {_called(one)}"
    body = token_policy.replacement(one, status=status)
    changed = as_object(api.send("PUT", path, what=what, body=body), what=what)
    output.done(changed, f"token {_called(one)}: {cell(one.get('status'))} -> {cell(changed.get('status'))}")


def remove_token(options: TokenOptions, api: Api, output: Output) -> None:
    """Delete it for good."""
    path, one = _find(options, api)
    output.done(api.send("DELETE", path, what=f"remove the token {_called(one)}"), f"token {_called(one)}: removed")


def _base(options: TokenListOptions, api: Api) -> str:
    if options.of_account is None:
        return "/user/tokens"
    return path_of("accounts", find_account(api, options.of_account, field="--of-account"), "tokens")


def _tokens(api: Api, base: str) -> list[JsonObject]:
    return api.everything(base, what="list the tokens", per_page=_TOKENS_A_PAGE)


def _find(options: TokenOptions, api: Api) -> tuple[str, JsonObject]:
    """The path of the token with this id or name, and what the API says of it. Raises UsageError."""
    base, what = _base(options, api), f"find the token {printable(options.named, limit=_MAX_NAME_CHARS)}"
    if is_id(options.named):
        path = base + path_of(options.named)
        return path, as_object(api.get(path, what=what), what=what)
    found = [one for one in _tokens(api, base) if text_of(one, "name") == options.named]
    if not found:
        raise UsageError("TOKEN", options.named, "the name or id of a token (`holdfast token list`)")
    one = the_only(found, "TOKEN", options.named, what=what)
    return base + path_of(id_of(one, what=what)), one


def _called(token: JsonObject) -> str:
    return printable(text_of(token, "name") or text_of(token, "id"), limit=_MAX_NAME_CHARS)


VERBS = {
    "list": Verb(TokenListOptions, list_tokens, "List the tokens (never their values)."),
    "create": Verb(TokenCreateOptions, create_token, "Make a token. Its value is printed once, alone on stdout."),
    "show": Verb(TokenOptions, show_token, "Show one token: its state and what it may do."),
    "verify": Verb(TokenListOptions, verify_token, "Say whether the token in use is good."),
    "roll": Verb(TokenOptions, roll_token, "Give a token a new value; the old one is void at once."),
    "disable": Verb(TokenOptions, disable_token, "Refuse a token until it is enabled again."),
    "enable": Verb(TokenOptions, enable_token, "Accept a disabled token again."),
    "remove": Verb(TokenOptions, remove_token, "Remove a token for good."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast token`."""
    return group_of(VERBS, help=help)
