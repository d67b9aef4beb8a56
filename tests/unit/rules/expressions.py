"""Expressions for Hypothesis: mostly sensible ones, with something wrong put into some of them."""

from hypothesis import strategies as st

FIELDS = (
    "http.host",
    "http.request.uri.path",
    "ip.src",
    "ssl",
    "cf.edge.server_port",
    "http.request.headers",
    "http.request.headers.names",
    'http.request.uri.args["a"][0]',
    'http.request.headers["x"][*]',
    "http.request.headers.names[*]",
    "ip.src.asnum",
    "ip.src.city",
    "cf.edge.server_ip",
    "http.request.headers[*][*]",
    "http.request.headers[*]",
)
# Those whose arguments the original's open parser checks as they are documented.
FUNCTIONS = ("lower", "upper", "starts_with", "ends_with", "concat", "remove_bytes", "decode_base64", "join", "has_key")
LITERALS = (
    '"a"',
    '"a\\x41\\101\\\\"',
    'r#"a"#',
    "61:62",
    "1.2.3.4",
    "::1",
    "10.0.0.0/8",
    "5",
    "-5",
    "0x1f",
    "010",
    "{1 2..5}",
    '{"a" "b"}',
    "{1.2.3.4 10.0.0.0/8}",
    "$list",
    '"',
    "é",
    "abc",
    "ab:cd",
    "_x",
)
COMPARISONS = (
    "eq",
    "==",
    "ne",
    "!=",
    "lt",
    "<=",
    "gt",
    "contains",
    "matches",
    "~",
    "wildcard",
    "strict wildcard",
    "in",
    "&",
)
COMBINATIONS = (" and ", "&&", " or ", "||", "xor ", "^^")
CHARACTERS = '()[]{}"\\ .,*&|!aA0x-:/$é\n#r'


def _call(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(st.one_of(value, st.sampled_from(LITERALS)), min_size=1, max_size=3).map(", ".join)
    return st.tuples(st.sampled_from(FUNCTIONS), arguments, st.sampled_from(("", "", "[0]", "[*]"))).map(
        lambda parts: f"{parts[0]}({parts[1]}){parts[2]}"
    )


VALUES = st.recursive(st.sampled_from(FIELDS), _call, max_leaves=4)
_COMPARED = st.tuples(
    VALUES, st.sampled_from(COMPARISONS), st.sampled_from((" ", "")), st.one_of(st.sampled_from(LITERALS), VALUES)
).map(lambda parts: f"{parts[0]} {parts[1]}{parts[2]}{parts[3]}")


def _nested(condition: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        condition.map(lambda inner: f"({inner})"),
        st.tuples(st.sampled_from(("not ", "!", "not")), condition).map("".join),
        st.tuples(st.sampled_from(("any", "all", "any ")), condition).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(condition, st.sampled_from(COMBINATIONS), condition).map("".join),
    )


CONDITIONS = st.recursive(st.one_of(_COMPARED, st.just("ssl"), VALUES), _nested, max_leaves=6)

# Comparisons that are right, of every kind, for evaluating.
SOUND_COMPARISONS = (
    'http.host eq "example.com"',
    'http.host ne "example.com"',
    'http.request.uri.path ge "/"',
    "http.host eq http.referer",
    "ip.src lt 128.0.0.0",
    "ip.src in {203.0.113.0/24 ::1 1.2.3.4..1.2.3.9}",
    "ip.src eq cf.edge.server_ip",
    "cf.edge.server_port in {1..1024 8443}",
    "cf.edge.server_port & 1",
    "ip.src.asnum ne 1",
    'ip.src.city in {"a" ""}',
    'http.request.uri.path matches "(?i)^/[a-z]*"',
    'http.cookie wildcard "*=*"',
    'http.request.headers["x"][0] contains ""',
    'any(http.request.headers["x"][*] strict wildcard "*a")',
    'all(lower(http.request.headers.names[*])[*] ne "y")',
    "any(starts_with(http.request.headers[*][*], http.host))",
    'any((http.request.headers.names[*] eq "x" xor http.request.headers.values[*] gt "m"))',
    'all((not http.request.uri.args.names[*] eq "a" or http.request.headers.names[*] in $list))',
    "len(http.request.uri.args) gt 1",
    'has_key(http.request.cookies, "a")',
    'len(url_decode(http.request.uri.query, "ur")) lt 5',
    'coalesce(decode_base64(http.cookie), "none") ne substring(http.host, -3)',
    'lookup_json_integer(http.request.uri.query, 0) lt 7 or lookup_json_string(http.cookie, "a") eq ""',
    'any(split(http.request.uri.path, "a", 3)[*] eq "/")',
    'join(http.request.accepted_languages, ",") contains "a"',
    'is_timed_hmac_valid_v0("key", http.request.uri, 10, http.request.timestamp.sec, 8)',
    'regex_replace(http.request.uri.path, "(a)|b", "${1}") eq wildcard_replace(http.host, "*a*", "${2}")',
    "encode_base64(sha256(http.host)) gt upper(http.request.version)",
    "cidr(ip.src, 24, 64) in {203.0.113.0/24}",
    "not ssl",
    "true",
)


# The same for programs: each way that their code is written, and values that several of them share.
SHARED_COMPARISONS = (
    'http.host in {"example.com" "www.example.com"}',
    'http.host gt "f"',
    'http.host wildcard "*EXAMPLE*"',
    'http.host wildcard "Example.com"',
    'http.host strict wildcard "ex*.c*"',
    'http.request.uri.path wildcard "/A*"',
    'http.request.uri.path strict wildcard "*/*/*"',
    'http.cookie wildcard "*a*"',
    'http.cookie wildcard "*a"',
    'ip.src.city wildcard "*x*"',
    'ip.src.city wildcard "a*"',
    'ip.src.city wildcard "A"',
    'ip.src.city contains "a"',
    'ip.src.city lt "b"',
    'ip.src.city matches "a"',
    'ip.src.city matches "^b"',
    'ip.src.city matches "^$"',
    'lower(ip.src.city) eq "a"',
    'starts_with(ip.src.city, "a")',
    'http.request.uri.path matches "a"',
    'http.request.uri.path matches "(?i)B"',
    'http.request.uri.path matches "^/x|y$"',
    'http.request.uri.path matches "[^/]{2}"',
    # The same patterns on another value.
    'http.host matches "a"',
    'http.host matches "(?i)B"',
    'http.host matches "^/x|y$"',
    'http.host matches "[^/]{2}"',
    'any(http.request.headers["x"][*] matches "a")',
    'any(http.request.headers["x"][*] matches "(?i)^B")',
    'any(http.request.headers["x"][*] matches "c$")',
    'all(http.request.headers["x"][*] matches "a")',
    'all(http.request.headers["x"][*] eq "a")',
    'all(http.request.headers["x"][*] ne "a")',
    'all(http.request.headers["x"][*] gt "a")',
    'all(http.request.headers["x"][*] contains "a")',
    'all(http.request.headers["x"][*] in {"a" "b"})',
    'all(http.request.headers["x"][*] wildcard "*A")',
    'all(http.request.headers["x"][*] ne http.host)',
    'all(starts_with(http.request.headers["x"][*], "a"))',
    'all(lower(http.request.headers.values[*])[*] ne "a")',
    'any(http.request.headers.values[*] contains "a")',
    'any(http.request.headers.values[*] contains "\\x0a")',
    'any(http.request.headers.values[*] contains "")',
    'http.host contains "a" or http.host contains "b" or ip.src.city contains "x" or ip.src.city contains "y" or ssl',
    "ip.src lt cf.edge.server_ip",
    "ip.src ne cf.edge.server_ip",
    "ip.src.asnum & cf.edge.server_port",
    'concat(ip.src.city, "-", http.host) eq concat("a", "-", http.host)',
    'url_decode(concat(ip.src.city, http.cookie)) contains "a" or url_decode(concat(ip.src.city, http.cookie)) eq ""',
    'lookup_json_string(http.cookie, "b") eq "a" or lookup_json_integer(http.cookie, "b") eq 1',
    'any(http.request.headers["x"][*] eq "a")',
    'any(http.request.headers["x"][*] ne "a")',
    'any(http.request.headers["x"][*] contains "a")',
    'any(http.request.headers["x"][*] in {"a" "b"})',
    'any(http.request.headers["x"][*] in $list)',
    'any(http.request.headers["x"][*] wildcard "A*")',
    'any(http.request.headers["y"][*] eq http.host)',
    'any(lower(http.request.headers["x"][*])[*] contains "a")',
    'any(len(http.request.headers["x"][*])[*] in {1..3})',
    'any(starts_with(http.request.headers["x"][*], "a"))',
    'any(ends_with(http.request.uri.args.names[*], "a"))',
    'any(http.request.headers.names[*] matches "x")',
    'any(url_decode(http.request.uri.args.values[*])[*] contains "a")',
    'http.request.headers["x"][1] eq "a"',
    'http.request.headers.names[0] eq "X"',
    'http.request.headers.names[2] eq "X"',
    'lower(http.request.headers["x"][0]) ne "a"',
    'len(http.request.headers["x"]) ge 0',
    'len(http.request.headers["x"][0]) in {0..2 5}',
    'has_key(http.request.uri.args, "a")',
    'has_value(http.request.headers.names, "X")',
    'lower(url_decode(lower(upper(lower(upper(lower(http.request.uri))))))) contains "a"',
    "ip.src in {203.0.113.7}",
    "ip.src in {203.0.113.0/24 10.0.0.0/8 ::/0}",
    "ip.src in {::1 10.0.0.1..10.0.0.9}",
    "ip.src in {}",
    "ip.src in $list",
    "ip.src in $office",
    "ip.src eq 203.0.113.7",
    "ip.src ne ::1",
    "ip.src ge ::1",
    "cf.edge.server_ip in {::/0}",
    "cf.edge.server_ip gt 1.1.1.1",
    "cidr(ip.src, 8, 8) eq 203.0.0.0",
    "cf.edge.server_port in {0..1024 65535}",
    "ip.src.asnum in {64512..64520}",
    "ip.src.asnum & 1",
    "ip.src.asnum in $networks",
    "ip.src.is_in_european_union",
    "ip.src.asnum lt cf.edge.server_port",
    'to_string(ip.src.asnum) eq "64512"',
    "cf.edge.client_tcp",
    'http.request.uri.path contains "\xc3"',
)


def _combined(condition: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(condition, st.sampled_from((" and ", " or ", " xor ")), condition).map("".join)
    return st.one_of(condition.map(lambda inner: f"not ({inner})"), pairs)


# A rewriting call may stand once in an expression, and `true` only alone.
_COMBINABLE = [one for one in SOUND_COMPARISONS if "replace" not in one and one != "true"]
SOUND = st.recursive(st.sampled_from(_COMBINABLE), _combined, max_leaves=4)
PROGRAMS = st.lists(
    st.recursive(st.sampled_from((*SHARED_COMPARISONS, *_COMBINABLE)), _combined, max_leaves=5), min_size=1, max_size=12
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A condition of which one place has been cut or filled with something else."""
    text = draw(CONDITIONS)
    at = draw(st.integers(0, len(text)))
    cut = draw(st.integers(0, 3))
    return text[:at] + draw(st.text(CHARACTERS, max_size=2)) + text[at + cut :]
