"""Which script stands in front of an origin: routes, then custom domains."""

import pytest

from holdfast.edge.worker_scripts import Script, ZoneWorkers
from holdfast.model.worker_route import RouteTable, parse_pattern

CHAT, HOME, NONE = Script("1" * 12, "chat"), Script("2" * 12, "home"), Script("", "")
WORKERS = ZoneWorkers(
    RouteTable(
        (parse_pattern(pattern), script)
        for pattern, script in [
            ("*example.com/*", CHAT),
            ("example.com/static/*", NONE),
            ("home.example.com/static/*", NONE),
        ]
    ),
    {"home.example.com": HOME},
)


@pytest.mark.parametrize(
    ("host", "target", "script"),
    [
        ("example.com", "/", CHAT),
        ("example.com", "/static/a", None),
        ("home.example.com", "/", CHAT),
        # Past the routes comes the origin, which is a script here.
        ("home.example.com", "/static/a", HOME),
        ("example.org", "/", None),
    ],
)
def test_a_route_comes_before_a_domain_and_one_without_a_script_leads_to_the_origin(
    host: str, target: str, script: Script | None
) -> None:
    assert WORKERS.script_of("https", host, target) == script
