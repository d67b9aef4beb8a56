"""Lists of an account, which the rules of it and of its zones name as `$name`.

Law 1: a list keeps its name and kind: rules name it, and their expressions were held against its kind.
Law 2: a list that a rule names is not removed.

Source: Cloudflare API v4, "Lists".
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, Identifier, View, success
from holdfast.api.faults import ApiFault, fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.list_references import references
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.model.moment import written
from holdfast.model.rule_list import MAX_DESCRIPTION_CHARS, MAX_LISTS, NAME, REDIRECT
from holdfast.store import identities, lists
from holdfast.store.lists import RuleList

router = APIRouter(prefix="/accounts/{account_id}/rules/lists", tags=["Lists"])

ReadAccess = Annotated[Access, Depends(account_access("Account Rule Lists Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Account Rule Lists Write"))]
ListId = path_id("list_id")
OperationId = path_id("operation_id")

RESOURCE = "list"
# Cloudflare's code and words for a list that rules name.
IN_USE = 10031
IN_USE_TEXT = "filters.api.ip_list_in_use"
TOO_MANY = 10034


class ListEdit(BaseModel):
    """What can be changed of a list."""

    model_config = ConfigDict(extra="ignore")
    description: Text | None = Field(default=None, max_length=MAX_DESCRIPTION_CHARS)


class ListCreate(ListEdit):
    """A new list."""

    name: Text = Field(pattern=f"^{NAME.pattern}$", description="How rules name it, after a `$`.")
    kind: Literal["ip", "hostname", "asn", "redirect"] = Field(description="`redirect` is refused.")


class ListView(View):
    """One list."""

    id: str
    name: str
    kind: Literal["ip", "hostname", "asn"]
    description: str
    num_items: int
    num_referencing_filters: int
    created_on: str
    modified_on: str


class OperationView(View):
    """A change of items, done or under way."""

    id: str
    status: Literal["pending", "running", "completed", "failed"]
    completed: str | None = None
    error: str | None = None


@router.get("", response_model=Envelope[list[ListView]])
async def list_lists(access: ReadAccess) -> Response:
    """All lists of the account, by name."""
    async with access.context.database.read() as connection:
        found = await lists.of_account(connection, access.account_id)
        uses = await references(connection, access.account_id) if found else {}
    return success([list_view(one, uses.get(one.name, 0)) for one in found])


@router.post("", response_model=Envelope[ListView])
async def create_list(body: ListCreate, access: WriteAccess) -> Response:
    """Make a list, without items."""
    if body.kind == REDIRECT:
        reason = "lists of redirects belong to bulk redirects, which are not here: expected ip, hostname or asn"
        raise invalid("/kind", f"kind: {reason}")
    now = access.context.clock()
    made = RuleList(
        id=secrets.token_hex(16),
        account_id=access.account_id,
        name=body.name,
        kind=body.kind,
        description=body.description or "",
        num_items=0,
        version=1,
        created_on=now,
        modified_on=now,
    )
    async with access.context.database.write() as connection:
        # Of two who make a list at once, the second is asked when the first one's is there.
        if await identities.find_account(connection, access.account_id, lock=True) is None:
            raise not_found("account")
        beside = await lists.of_account(connection, access.account_id)
        if any(one.name == made.name for one in beside):
            raise _is_taken(made.name)
        if len(beside) >= MAX_LISTS:
            raise fault(400, TOO_MANY, f"An account has at most {MAX_LISTS} lists")
        await _insert(connection, made)
        view = list_view(made, (await references(connection, access.account_id, made.name))[made.name])
        await access.record(connection, "create", RESOURCE, made.id, new=view)
    await access.context.on_list_change([made.id])
    return success(view)


async def _insert(connection: AsyncConnection, made: RuleList) -> None:
    try:
        await lists.insert(connection, made)
    except IntegrityError:
        raise _is_taken(made.name) from None


def _is_taken(name: str) -> ApiFault:
    return invalid("/name", f"name: expected one that no list of the account has, got {name!r}")


@router.get(
    "/bulk_operations/{operation_id}", response_model=Envelope[OperationView], response_model_exclude_unset=True
)
async def show_operation(
    access: ReadAccess,
    operation_id: OperationId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """What has become of a change of items."""
    async with access.context.database.read() as connection:
        found = await lists.find_operation(connection, access.account_id, operation_id)
    if found is None:
        raise not_found("operation")
    view = {"id": found.id, "status": found.status}
    if found.completed_on is not None:
        view["completed"] = written(found.completed_on)
    if found.error is not None:
        view["error"] = found.error
    return success(view)


@router.get("/{list_id}", response_model=Envelope[ListView])
async def show_list(
    access: ReadAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One list, without its items."""
    async with access.context.database.read() as connection:
        found = known(await lists.find(connection, access.account_id, list_id))
        uses = await references(connection, access.account_id, found.name)
    return success(list_view(found, uses[found.name]))


@router.put("/{list_id}", response_model=Envelope[ListView])
async def edit_list(
    access: WriteAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
    body: ListEdit,
) -> Response:
    """Describe a list otherwise. Its name and kind never change."""
    description, is_news = body.description or "", False
    async with writing(access.context.database) as connection:
        before = known(await lists.hold(connection, access.account_id, list_id))
        uses = (await references(connection, access.account_id, before.name))[before.name]
        old = new = list_view(before, uses)
        if description == before.description:
            raise Undone
        now = access.context.clock()
        after = known(await lists.change(connection, access.account_id, list_id, {"description": description}, now=now))
        new = list_view(after, uses)
        await access.record(connection, "update", RESOURCE, list_id, old=old, new=new)
        is_news = True
    if is_news:
        await access.context.on_list_change([list_id])
    return success(new)


@router.delete("/{list_id}", response_model=Envelope[Identifier])
async def delete_list(
    access: WriteAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove a list and its items. One that rules name is not removed."""
    async with access.context.database.write() as connection:
        before = known(await lists.hold(connection, access.account_id, list_id))
        uses = (await references(connection, access.account_id, before.name))[before.name]
        if uses:
            advice = f"{uses} {'rule names' if uses == 1 else 'rules name'} ${before.name}: change what they say first"
            raise fault(400, IN_USE, f"{IN_USE_TEXT}: {advice}")
        await lists.delete(connection, list_id)
        await access.record(connection, "delete", RESOURCE, list_id, old=list_view(before, 0))
    await access.context.on_list_change([list_id])
    return success({"id": list_id})


def known(found: RuleList | None) -> RuleList:
    """`found`, which is there. Raises ApiFault."""
    if found is None:
        raise not_found("list")
    return found


def list_view(one: RuleList, uses: int) -> dict[str, Any]:
    """A list as the API shows it; `uses` is how many rules name it."""
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "description": one.description,
        "num_items": one.num_items,
        "num_referencing_filters": uses,
        "created_on": written(one.created_on),
        "modified_on": written(one.modified_on),
    }
