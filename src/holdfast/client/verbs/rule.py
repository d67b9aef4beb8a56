"""`holdfast rule`: try a rule before it is anywhere, or all rules of a zone, on a request.

Law 1: an expression alone is tried on this machine, without the API: what evaluates it is given by whoever composes the
command. With `--zone` the API is asked, which knows the zone's lists, rules and last requests.
Law 2: the exit status is the answer: 0 if the expression matches (with `--recorded`, one of the requests at least) or the zone
lets the request through, 1 if not, 2 if what was asked must change.
Law 3: what is wrong with an expression is shown in the original's words, with its carets below the text.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from holdfast.client.api.answer import ApiRefused, JsonObject, as_object, as_objects, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.zones import find_zone, zone_or_id
from holdfast.client.printable import printable
from holdfast.client.verbs.filter_error import filter_error_lines
from holdfast.client.verbs.group import command_of, run_with_output
from holdfast.client.verbs.output import Output
from holdfast.errors import SetupError, UsageError, reason_of
from holdfast.model.option import Given, spelled
from holdfast.model.request import Request
from holdfast.model.request_text import (
    DEFAULT_CLIENT,
    GivenRequest,
    RequestTextError,
    country_of,
    header_of,
    parse_request_text,
    request_from_url,
    request_object,
)

if TYPE_CHECKING:
    from holdfast.client.api.connection import Api

MAX_RECORDED = 100
# Longer than any request that could be meant.
_MAX_FILE_BYTES = 512 * 1024
_STANDARD_INPUT = "-"
_MISSING = "(missing)"


class BadExpression(Exception):
    """An expression that cannot be read. `str()` is the original's text, on several lines."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying an expression: whether it matched, and every value that it read (None: missing). `undecided` says
    why nobody knows whether it did, "" where it is known."""

    is_match: bool
    values: tuple[tuple[str, str | None], ...]
    undecided: str = ""


# Tries an expression on a request. Raises BadExpression.
Try = Callable[[str, GivenRequest], Trial]


def _text(text: str, _: str) -> str:
    return text


def _header(text: str, flag: str) -> tuple[str, str]:
    try:
        return header_of(text, flag)
    except RequestTextError:
        raise UsageError(flag, text, "a header field such as 'Origin: https://example.com'") from None


def _country(text: str, flag: str) -> str:
    try:
        return country_of(text)
    except RequestTextError:
        raise UsageError(flag, text, "a country by its two letters, such as NL") from None


def _recorded(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_RECORDED):
        raise UsageError(flag, text, f"a number from 1 to {MAX_RECORDED}")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestOptions(ApiOptions):
    """What to try, and on what."""

    expression: str | None = dataclasses.field(
        default=None,
        metadata=spelled("EXPR", "EXPR", "The expression of a rule. With --zone it may be left out.", _text),
    )
    request: str | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--request", "FILE", "The request: a raw head as `curl -v` shows it, or JSON. - reads it.", _text
        ),
    )
    url: str | None = dataclasses.field(
        default=None, metadata=spelled("--url", "URL", "The request: a GET of this address (https, wss, ...).", _text)
    )
    headers: tuple[tuple[str, str], ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--header",
            "'N: V'",
            "A header field of it, in place of one of that name.",
            _header,
            short="-H",
            is_many=True,
        ),
    )
    method: str | None = dataclasses.field(
        default=None, metadata=spelled("--method", "METHOD", "Its method.", _text, default="GET")
    )
    client_ip: str | None = dataclasses.field(
        default=None, metadata=spelled("--client-ip", "ADDRESS", "Where it comes from.", _text, default=DEFAULT_CLIENT)
    )
    country: str | None = dataclasses.field(
        default=None, metadata=spelled("--country", "CC", "The country it comes from, such as NL.", _country)
    )
    zone: str | None = dataclasses.field(
        default=None,
        metadata=spelled("--zone", "NAME", "Ask the API, by the rules and lists of this zone.", zone_or_id),
    )
    recorded: int | None = dataclasses.field(
        default=None,
        metadata=spelled("--recorded", "N", "Try it on the last N requests of the zone.", _recorded),
    )


def app(*, try_locally: Try, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast rule`. `try_locally` evaluates expressions."""
    group = typer.Typer(
        help=help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    # A callback, so that the only verb stays a verb.
    @group.callback(invoke_without_command=True)
    def without_verb(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            sys.stdout.write(f"{context.get_help()}\n")

    def run(given: Mapping[str, Given]) -> int:
        options = RuleTestOptions.parse(given)
        return run_with_output(options, lambda output: test_rule(options, try_locally, output))

    group.command("test", help=_TEST_HELP)(command_of(RuleTestOptions, run))
    return group


_TEST_HELP = """Try an expression, or all rules of a zone, on a request.

Exit status 0: it matches, or the zone lets the request through. 1: it does not. 2: what was asked must change.
"""


def test_rule(options: RuleTestOptions, try_locally: Try, output: Output) -> int:
    """Try what was asked, and say what came of it. The exit status. Raises HoldfastError."""
    if options.zone is None:
        return _locally(options, try_locally, output)
    from holdfast.client.api.connection import Api  # noqa: PLC0415  an expression alone needs no HTTP client

    with Api(options) as api:
        return ask_zone(options, api, output)


def _locally(options: RuleTestOptions, try_locally: Try, output: Output) -> int:
    if options.expression is None:
        raise UsageError("EXPR", None, "an expression to try, or --zone for all rules of a zone")
    if options.recorded is not None:
        raise UsageError("--recorded", str(options.recorded), "it with --zone: requests are recorded by zones")
    given = request_of(options)
    try:
        trial = try_locally(options.expression, given)
    except BadExpression as error:
        return _show_error(str(error).splitlines(), output)
    result: dict[str, object] = {
        "matched": trial.is_match,
        "fields": [{"name": name, "value": value} for name, value in trial.values],
    }
    if trial.undecided:
        result["undecided"] = trial.undecided
    _show_expression([result], output, whole=result)
    return 0 if trial.is_match else 1


def ask_zone(options: RuleTestOptions, api: Api, output: Output) -> int:
    """Ask the API; the exit status."""
    zone = find_zone(api, options.zone or "")
    body: dict[str, object] = {}
    if options.expression is not None:
        body["expression"] = options.expression
    if options.recorded is not None:
        if options.request is not None or options.url is not None:
            raise UsageError("--recorded", str(options.recorded), "it alone, or a request by --request or --url")
        body["recorded"] = options.recorded
    else:
        body["request"] = request_object(request_of(options))
    what = f"try {'the expression' if options.expression else 'the rules'} in {zone.name}"
    try:
        answer = as_object(api.send("POST", zone.path("security", "trace"), what=what, body=body), what=what)
    except ApiRefused as refused:
        text = options.expression
        lines = None if text is None else filter_error_lines(" ".join(refused.messages), text)
        if lines is None:
            raise
        return _show_error(lines, output)
    results = as_objects(answer.get("results"), what=what)
    if left_out := answer.get("left_out"):
        output.notice(f"{left_out} requests were left out: there was no time for them")
    if not results:
        output.notice(f"{zone.name} has no recorded requests: none came since its edges started")
    if options.expression is not None:
        _show_expression(results, output, whole=answer)
        return 0 if any(one.get("matched") is True for one in results) else 1
    _show_traces(results, output, whole=answer)
    is_forwarded = [text_of(one, "trace", "decision") == "forward" for one in results]
    return 0 if is_forwarded and all(is_forwarded) else 1


def request_of(options: RuleTestOptions) -> GivenRequest:
    """The request that the options say. Raises UsageError, naming the flag, and SetupError for a file."""
    if (options.request is None) == (options.url is None):
        expected = "--request FILE or --url URL, one of them"
        raise UsageError("--request", options.request, expected)
    client_ip = options.client_ip or DEFAULT_CLIENT
    try:
        if options.url is not None:
            method = options.method or "GET"
            given = GivenRequest(
                request_from_url(options.url, method=method, headers=options.headers, client_ip=client_ip)
            )
        else:
            given = parse_request_text(_read(options.request or ""), client_ip=client_ip)
            given = _changed(given, options)
    except RequestTextError as error:
        raise SetupError(f"{_flag_of(error.place, options)}: {error}") from None
    return dataclasses.replace(given, country=options.country or given.country)


def _flag_of(place: str, options: RuleTestOptions) -> str:
    """What said the part of the request that is wrong."""
    if place == "/client_ip":
        return "--client-ip"
    if place == "/method" and options.method is not None:
        return "--method"
    name = place.removeprefix("/headers/").lower()
    if (place == "/headers" and options.headers) or any(name == one.lower() for one, _ in options.headers):
        return "--header"
    return "--request" if options.url is None else "--url"


def _changed(given: GivenRequest, options: RuleTestOptions) -> GivenRequest:
    """A request of a file with what flags say in its place, read again as a whole: it may be a handshake now."""
    request = given.request
    target = f"{request.path}?{request.query}" if request.query else request.path
    found = request_from_url(
        f"{request.scheme}://{request.host}:{request.edge_port}{target}",
        method=options.method or request.method,
        headers=_replaced(request, options.headers),
        version=request.version,
        client_ip=request.client_ip,
    )
    return dataclasses.replace(given, request=found)


def _replaced(request: Request, headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    named = {name.lower() for name, _ in headers}
    return (*(field for field in request.headers if field[0].lower() not in named), *headers)


def _read(file: str) -> str:
    try:
        if file == _STANDARD_INPUT:
            raw = sys.stdin.buffer.read(_MAX_FILE_BYTES + 1)
        else:
            with Path(file).expanduser().open("rb") as opened:
                raw = opened.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SetupError(f"--request: cannot read {printable(file, limit=200)}: {reason_of(error)}") from error
    # What is no text is kept: it is the edge's to say what it makes of it.
    return raw.decode("utf-8", "surrogateescape")


# What is printed.


def _show_error(lines: Sequence[str], output: Output) -> int:
    """What is wrong with an expression: more than a sentence, the carets stand below what they mean. The exit status."""
    for line in lines:
        output.notice(line)
    return 2


def _show_expression(results: Sequence[JsonObject], output: Output, *, whole: object) -> None:
    rows = []
    for one in results:
        verdict = _verdict(one)
        rows += [(verdict, _target(one), *value) for value in _values(one)]
    if len(results) == 1:
        verdict = rows[0][0] if rows else _verdict(results[0])
        output.facts(whole, [("result", verdict), *((name, value) for _, _, name, value in rows if name)])
        return
    output.table(whole, ("result", "request", "field", "value"), rows, empty="nothing was tried")


def _verdict(result: JsonObject) -> str:
    if undecided := text_of(result, "undecided"):
        return f"undecided: {undecided}"
    return "match" if result.get("matched") is True else "no match"


def _values(result: JsonObject) -> list[tuple[str, str]]:
    fields = result.get("fields")
    found = []
    for field in fields if isinstance(fields, list) else []:
        value = field.get("value") if isinstance(field, dict) else None
        found.append((str(field.get("name")), _MISSING if value is None else str(value) or '""'))
    return found or [("", "")]


def _target(result: JsonObject) -> str:
    return " ".join(filter(None, (text_of(result, "request", "method"), text_of(result, "request", "url"))))


def _show_traces(results: Sequence[JsonObject], output: Output, *, whole: object) -> None:
    titles = ("request", "phase", "rule", "action", "outcome", "why")
    rows = [row for result in results for row in _rows_of(result)]
    output.table(whole, titles, rows, empty="nothing was traced")


def _rows_of(result: JsonObject) -> Iterator[tuple[str, ...]]:
    """A row for each rule, what matched of managed rules below them, and at last what became of the request."""
    target = _target(result)
    trace = result.get("trace")
    found: JsonObject = trace if isinstance(trace, dict) else {}
    for phase in _objects(found, "phases"):
        for ruleset in _objects(phase, "rulesets"):
            for rule in _objects(ruleset, "rules"):
                yield (target, text_of(phase, "name"), *_rule_cells(rule))
                for match in _objects(rule, "matches"):
                    yield (target, text_of(phase, "name"), *_rule_cells({**match, "outcome": "matched"}))
    status = found.get("status")
    decided = text_of(found, "decided_by")
    came_to = f"answered with {status}" if status else f"forwarded to {text_of(found, 'origin')}"
    yield target, decided, text_of(found, "rule_id"), text_of(found, "decision"), came_to, ""


def _rule_cells(rule: Mapping[str, object]) -> tuple[str, str, str, str]:
    called = " ".join(filter(None, (text_of(rule, "ref"), text_of(rule, "description")))) or text_of(rule, "id")
    because = [text_of(rule, "reason"), f"by {text_of(rule, 'by')}" if text_of(rule, "by") else ""]
    fields = rule.get("fields")
    pairs = [one for one in fields if isinstance(one, list) and len(one) == 2] if isinstance(fields, list) else []
    because += [f"{name} = {value}" for name, value in pairs]
    return called, text_of(rule, "action"), text_of(rule, "outcome"), "; ".join(filter(None, because))


def _objects(value: Mapping[str, object], name: str) -> list[JsonObject]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
