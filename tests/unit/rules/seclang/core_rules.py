"""A small set of rules that is built as the OWASP Core Rule Set is: gates by paranoia level, scores, and their sum."""

SETUP = """
SecDefaultAction "phase:2,log,pass"
SecAction "id:900990,phase:1,nolog,pass,setvar:tx.crs_setup_version=334,setvar:tx.inbound_anomaly_score_threshold=5"
"""


def _scored(number: int, word: str, level: int, severity: str = "CRITICAL", more: str = "") -> str:
    return (
        f"SecRule ARGS \"@contains {word}\" \"id:{number},phase:2,block,msg:'{word} found',severity:'{severity}',"
        f"tag:'attack-{word}',tag:'paranoia-level/{level}',tag:'OWASP_CRS',{more}"
        f"setvar:'tx.anomaly_score_pl{level}=+%{{tx.{severity.lower()}_anomaly_score}}'\""
    )


def _gate(level: int, number: int) -> str:
    return f'SecRule TX:EXECUTING_PARANOIA_LEVEL "@lt {level}" "id:{number},phase:2,pass,nolog,skipAfter:END"'


def _sum(level: int) -> str:
    return (
        f'SecRule TX:PARANOIA_LEVEL "@ge {level}" '
        f"\"id:94906{level},phase:2,pass,nolog,setvar:'tx.anomaly_score=+%{{tx.anomaly_score_pl{level}}}'\""
    )


RULES = "\n".join([
    'SecComponentSignature "OWASP_CRS/3.3.4"',
    'SecRule &TX:crs_setup_version "@eq 0" "id:901001,phase:1,deny,log,msg:\'no setup\'"',
    'SecRule &TX:paranoia_level "@eq 0" "id:901120,phase:1,nolog,pass,setvar:tx.paranoia_level=1"',
    'SecAction "id:901140,phase:1,nolog,pass,setvar:tx.critical_anomaly_score=5,setvar:tx.warning_anomaly_score=3"',
    _gate(1, 920012),
    _scored(920001, "alpha", 1),
    _scored(920002, "beta", 1, "WARNING"),
    _gate(2, 920014),
    _scored(920003, "gamma", 2),
    _gate(3, 920016),
    _scored(920004, "delta", 3),
    _gate(4, 920018),
    _scored(920005, "epsilon", 4),
    "SecMarker END",
    *map(_sum, (1, 2, 3, 4)),
    (
        'SecRule TX:ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" "id:949110,phase:2,deny,log,'
        "msg:'Inbound Anomaly Score Exceeded (Total Score: %{TX.ANOMALY_SCORE})',tag:'attack-generic',severity:'CRITICAL'\""
    ),
])  # fmt: skip
FILES = {"crs-setup.conf": SETUP.encode(), "rules.conf": RULES.encode()}
