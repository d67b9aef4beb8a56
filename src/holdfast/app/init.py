"""`holdfast init`: an installation without serving: database, account, owner and a token.

Law: the token is printed by whoever makes it, once. Where there is an installation already, nothing is made or printed,
unless a new token is asked for: whoever may write the database could make one anyway.
"""

from __future__ import annotations

import json

from holdfast.app.control_service import first_start_lines, init
from holdfast.config.init import InitOptions
from holdfast.errors import SetupError
from holdfast.standard_output import write_lines

_LOST = "the installation is made, but its token could not be printed, and --new-token makes another"


def run_init(options: InitOptions) -> int:
    """Make it, and print what it is driven with. Raises HoldfastError, also where there is one already."""
    first = init(options.config, new_token=options.new_token)
    if first is None:
        where = options.config.database
        raise SetupError(
            f"there is an installation in {where} already; its first token is not shown again (--new-token makes another)"
        )
    as_json = [json.dumps({"account_id": first.account_id, "token": first.token})]
    write_lines(as_json if options.as_json else first_start_lines(first), lost=_LOST)
    return 0
