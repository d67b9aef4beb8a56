"""Secrets of scripts: set and removed by name, and shown to nobody but the script.

Law: a change of a secret is a new version of the script with the same code, deployed at once. A secret is in no answer, log or audit
entry.

Source: Cloudflare API v4, "Workers scripts: secrets".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, success
from holdfast.api.faults import ApiFault, fault, invalid, no_route
from holdfast.api.text import Text
from holdfast.api.worker_deploying import Wanted, make_version
from holdfast.api.worker_found import Before, find_script, no_such_script
from holdfast.api.worker_shapes import ScriptName, SecretView
from holdfast.api.worker_upload import TOO_LARGE_VARIABLE, TOO_MANY_VARIABLES
from holdfast.model.worker_script import (
    EXPECTED_BINDING,
    MAX_BINDING_CHARS,
    MAX_VARIABLE_BYTES,
    MAX_VARIABLES,
    is_binding_name,
)

_SCRIPT = "/accounts/{account_id}/workers/scripts/{script_name}"
router = APIRouter(prefix=f"{_SCRIPT}/secrets", tags=["Workers secrets"])
bulk_router = APIRouter(prefix=f"{_SCRIPT}/secrets-bulk", tags=["Workers secrets"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
# Cloudflare's code.
NO_SECRET = 10056
# Not declared as a text: what a check says of a member that is none shows it.
SecretText = Annotated[Any, WithJsonSchema({"type": "string", "maxLength": MAX_VARIABLE_BYTES})]


def _secret_name(request: Request, value: str = Path(alias="secret_name")) -> str:
    if not is_binding_name(value):
        raise no_route(request.url.path)
    return value


SecretName = Annotated[str, Depends(_secret_name)]


class SecretGiven(BaseModel):
    """A secret to set."""

    model_config = ConfigDict(extra="ignore")
    name: Text = Field(max_length=MAX_BINDING_CHARS)
    text: SecretText
    type: Literal["secret_text"] = "secret_text"


class SecretPatch(BaseModel):
    """A secret to set, where its name is said before it."""

    model_config = ConfigDict(extra="forbid")
    name: Text | None = None
    type: Literal["secret_text"]
    text: SecretText


class SecretsGiven(BaseModel):
    """Secrets to set by name, `null` for those to remove; others stay."""

    model_config = ConfigDict(extra="ignore")
    secrets: dict[Text, SecretPatch | None] = Field(max_length=MAX_VARIABLES)


@router.get("", response_model=Envelope[list[SecretView]])
async def list_secrets(access: ReadAccess, script_name: ScriptName) -> Response:
    """The names of a script's secrets."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
    return success([_view(name) for name in sorted(found.version.secrets)])


@router.put("", response_model=Envelope[SecretView])
async def put_secret(access: WriteAccess, script_name: ScriptName, body: SecretGiven) -> Response:
    """Set a secret: a new version with it is deployed."""
    if not is_binding_name(body.name):
        raise invalid("/name", f"name: expected {EXPECTED_BINDING}, got {body.name[:40]!r}")
    text = checked_text(body.text)

    def want(before: Before | None) -> Wanted:
        known = _known(before)
        check_names(known, (body.name,))
        return _with_secrets(known, {body.name: text})

    await make_version(access, script_name, want)
    return success(_view(body.name))


@router.get("/{secret_name}", response_model=Envelope[SecretView])
async def show_secret(access: ReadAccess, script_name: ScriptName, secret_name: SecretName) -> Response:
    """A secret: whether there is one of this name."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
    if secret_name not in found.version.secrets:
        raise _no_secret(secret_name)
    return success(_view(secret_name))


@router.delete("/{secret_name}", response_model=Envelope[None])
async def delete_secret(access: WriteAccess, script_name: ScriptName, secret_name: SecretName) -> Response:
    """Remove a secret: a new version without it is deployed."""

    def want(before: Before | None) -> Wanted:
        known = _known(before)
        if secret_name not in known.version.secrets:
            raise _no_secret(secret_name)
        return _with_secrets(known, {}, without={secret_name})

    await make_version(access, script_name, want)
    return success(None)


@bulk_router.patch("", response_model=Envelope[dict[str, SecretView]])
async def change_secrets(access: WriteAccess, script_name: ScriptName, body: SecretsGiven) -> Response:
    """Set and remove several secrets: one new version with all of it is deployed. What is to be removed and is not there, is removed."""
    given, gone = checked_secrets(body.secrets, "/secrets")

    def want(before: Before | None) -> Wanted:
        known = _known(before)
        check_names(known, given, gone=gone, pointer="/secrets")
        return _with_secrets(known, given, without=gone)

    made = await make_version(access, script_name, want)
    return success({name: _view(name) for name in sorted(made.version.secrets)})


def checked_secrets(patch: Mapping[str, SecretPatch | None], where: str) -> tuple[dict[str, str], frozenset[str]]:
    """The texts of those to set, and the names of those to remove. Raises ApiFault."""
    for name in patch:
        if not is_binding_name(name):
            raise invalid(where, f"{where[1:]}: expected {EXPECTED_BINDING}, got {name[:40]!r}")
    given = {name: checked_text(one.text, f"{where}/{name}/text") for name, one in patch.items() if one is not None}
    return given, frozenset(patch.keys() - given.keys())


def _known(before: Before | None) -> Before:
    if before is None:
        raise no_such_script()
    return before


def _with_secrets(before: Before, given: dict[str, str], *, without: Collection[str] = ()) -> Wanted:
    return Wanted(
        settings=before.version.settings,
        secrets=given,
        kept_secrets=frozenset(before.version.secrets) - {*without, *given},
        source="secret",
    )


def check_names(before: Before, names: Iterable[str], *, gone: Collection[str] = (), pointer: str = "/name") -> None:
    """Raise ApiFault for a name that something else in `env` has, and where there would be too many with `names`, `gone` being removed."""
    settings = before.version.settings
    others = {
        *settings.vars,
        *(one.name for one in settings.durable_objects),
        *(one.name for one in settings.services),
        settings.version_metadata,
    }
    for name in (*names, *gone):
        if name in others:
            message = f"Binding name {name!r} already in use. Please use a different name."
            raise fault(400, 10053, message, pointer=pointer)
    secrets = {*before.version.secrets, *names} - set(gone)
    if len(secrets) + len(settings.vars) > MAX_VARIABLES:
        raise fault(400, TOO_MANY_VARIABLES, f"There are at most {MAX_VARIABLES} variables and secrets of a Worker")


def checked_text(value: Any, pointer: str = "/text") -> str:  # noqa: ANN401  whatever was sent
    """A secret that was given. Raises ApiFault, which never says it."""
    if not isinstance(value, str):
        raise invalid(pointer, "text: expected the secret, a text")
    if len(value.encode(errors="surrogatepass")) > MAX_VARIABLE_BYTES:
        raise fault(400, TOO_LARGE_VARIABLE, f"text: expected at most {MAX_VARIABLE_BYTES} bytes", pointer=pointer)
    return value


def _no_secret(name: str) -> ApiFault:
    return fault(404, NO_SECRET, f"Secret binding {name!r} not found.")


def _view(name: str) -> dict[str, str]:
    return {"name": name, "type": "secret_text"}
