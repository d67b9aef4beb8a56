"""Every word of SecLang that we know, and what becomes of it.

Law: a word that is in no table is refused where it stands. What is known and has no effect here is in a table that says so;
nothing is left out in silence.

Source: ModSecurity Reference Manual (v2.x and v3.x): directives, variables, transformation functions, actions, operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Directives that configure a server around the rules: bodies, logs, files, connections. None changes how a head is judged.
IGNORED_DIRECTIVES: Final = frozenset(
    {
        "secargumentseparator",
        "secargumentslimit",
        "secauditengine",
        "secauditlog",
        "secauditlog2",
        "secauditlogdirmode",
        "secauditlogfilemode",
        "secauditlogformat",
        "secauditlogparts",
        "secauditlogprefix",
        "secauditlogrelevantstatus",
        "secauditlogstoragedir",
        "secauditlogtype",
        "seccachetransformations",
        "secchrootdir",
        "seccollectiontimeout",
        "seccookieformat",
        "seccookiev0separator",
        "secdatadir",
        "secdebuglog",
        "secdebugloglevel",
        "secgeolookupdb",
        "secinterceptonerror",
        "secpcrematchlimit",
        "secpcrematchlimitrecursion",
        "secrequestbodyaccess",
        "secrequestbodyinmemorylimit",
        "secrequestbodyjsondepthlimit",
        "secrequestbodylimit",
        "secrequestbodylimitaction",
        "secrequestbodynofileslimit",
        "secresponsebodyaccess",
        "secresponsebodylimit",
        "secresponsebodylimitaction",
        "secresponsebodymimetype",
        "secresponsebodymimetypesclear",
        "secruleengine",
        "secruleinheritance",
        "secruleperftime",
        "secsensorid",
        "secserversignature",
        "secstatusengine",
        "sectmpdir",
        "sectmpsaveuploadedfiles",
        "secunicodemapfile",
        "secuploaddir",
        "secuploadfilelimit",
        "secuploadfilemode",
        "secuploadkeepfiles",
        "secwebappid",
        "secxmlexternalentity",
    }
)
RULE_DIRECTIVES: Final = frozenset(
    {
        "secaction",
        "seccomponentsignature",
        "secdefaultaction",
        "secmarker",
        "secrule",
        "secruleremovebyid",
        "secruleremovebymsg",
        "secruleremovebytag",
        "secruleupdateactionbyid",
        "secruleupdatetargetbyid",
        "secruleupdatetargetbymsg",
        "secruleupdatetargetbytag",
    }
)

# Variables of a request's head, with members or without.
REQUEST_COLLECTIONS: Final = frozenset(
    {
        "ARGS",
        "ARGS_GET",
        "ARGS_GET_NAMES",
        "ARGS_NAMES",
        "REQUEST_COOKIES",
        "REQUEST_COOKIES_NAMES",
        "REQUEST_HEADERS",
        "REQUEST_HEADERS_NAMES",
    }
)
# Sizes of a body, and faults of one: 0, where a request has none.
FAULT_VARIABLES: Final = frozenset(
    {
        "FILES_COMBINED_SIZE",
        "INBOUND_DATA_ERROR",
        "MULTIPART_BOUNDARY_QUOTED",
        "MULTIPART_BOUNDARY_WHITESPACE",
        "MULTIPART_CRLF_LF_LINES",
        "MULTIPART_DATA_AFTER",
        "MULTIPART_DATA_BEFORE",
        "MULTIPART_FILE_LIMIT_EXCEEDED",
        "MULTIPART_HEADER_FOLDING",
        "MULTIPART_INVALID_HEADER_FOLDING",
        "MULTIPART_INVALID_PART",
        "MULTIPART_INVALID_QUOTING",
        "MULTIPART_LF_LINE",
        "MULTIPART_MISSING_SEMICOLON",
        "MULTIPART_STRICT_ERROR",
        "MULTIPART_UNMATCHED_BOUNDARY",
        "REQBODY_ERROR",
        "REQBODY_PROCESSOR_ERROR",
        "REQUEST_BODY_LENGTH",
    }
)
REQUEST_VARIABLES: Final = FAULT_VARIABLES | frozenset(
    {
        "ARGS_COMBINED_SIZE",
        "DURATION",
        "FULL_REQUEST",
        "FULL_REQUEST_LENGTH",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_PORT",
        "REQBODY_ERROR_MSG",
        "REQBODY_PROCESSOR",
        "REQBODY_PROCESSOR_ERROR_MSG",
        "REQUEST_BASENAME",
        "REQUEST_FILENAME",
        "REQUEST_LINE",
        "REQUEST_METHOD",
        "REQUEST_PROTOCOL",
        "REQUEST_URI",
        "REQUEST_URI_RAW",
        "SERVER_ADDR",
        "SERVER_NAME",
        "SERVER_PORT",
        "TIME",
        "TIME_DAY",
        "TIME_EPOCH",
        "TIME_HOUR",
        "TIME_MIN",
        "TIME_MON",
        "TIME_SEC",
        "TIME_WDAY",
        "TIME_YEAR",
        "UNIQUE_ID",
        "URLENCODED_ERROR",
    }
)
# What a request without a body does not have, and what an edge cannot know: there are never any values.
EMPTY_VARIABLES: Final = frozenset(
    {
        "ARGS_POST",
        "ARGS_POST_NAMES",
        "AUTH_TYPE",
        "ENV",
        "FILES",
        "FILES_NAMES",
        "FILES_SIZES",
        "FILES_TMPNAMES",
        "FILES_TMP_CONTENT",
        "JSON",
        "MULTIPART_FILENAME",
        "MULTIPART_NAME",
        "MULTIPART_PART_HEADERS",
        "PATH_INFO",
        "REMOTE_USER",
        "REQUEST_BODY",
        "SESSIONID",
        "USERID",
        "WEBAPPID",
        "WEBSERVER_ERROR_LOG",
        "XML",
    }
)
# What rules write: for the length of one request, nothing is kept for the next.
WRITABLE_COLLECTIONS: Final = frozenset({"GLOBAL", "IP", "RESOURCE", "SESSION", "TX", "USER"})
ENGINE_VARIABLES: Final = frozenset(
    {"GEO", "HIGHEST_SEVERITY", "MATCHED_VAR", "MATCHED_VARS", "MATCHED_VARS_NAMES", "MATCHED_VAR_NAME", "RULE"}
)
# Of answers: rules that look at them are of later phases, and are left out with them.
RESPONSE_VARIABLES: Final = frozenset(
    {
        "OUTBOUND_DATA_ERROR",
        "RESPONSE_ARGS",
        "RESPONSE_BODY",
        "RESPONSE_CONTENT_LENGTH",
        "RESPONSE_CONTENT_TYPE",
        "RESPONSE_HEADERS",
        "RESPONSE_HEADERS_NAMES",
        "RESPONSE_PROTOCOL",
        "RESPONSE_STATUS",
        "STATUS_LINE",
    }
)
VARIABLES: Final = (
    REQUEST_COLLECTIONS
    | REQUEST_VARIABLES
    | EMPTY_VARIABLES
    | WRITABLE_COLLECTIONS
    | ENGINE_VARIABLES
    | RESPONSE_VARIABLES
)

# Operators by their name in small letters, as we call them.
OPERATORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        name.lower(): name
        for name in (
            "beginsWith",
            "contains",
            "containsWord",
            "detectSQLi",
            "detectXSS",
            "endsWith",
            "eq",
            "ge",
            "geoLookup",
            "gt",
            "ipMatch",
            "ipMatchFromFile",
            "le",
            "lt",
            "noMatch",
            "pm",
            "pmFromFile",
            "rbl",
            "rx",
            "streq",
            "strmatch",
            "unconditionalMatch",
            "validateByteRange",
            "validateUrlEncoding",
            "validateUtf8Encoding",
            "within",
        )
    }
    | {"pmf": "pmFromFile", "ipmatchf": "ipMatchFromFile"}
)

# Transformations by their name in small letters; those that ModSecurity spells in two ways are one.
TRANSFORMATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        name.lower(): name
        for name in (
            "base64Decode",
            "base64DecodeExt",
            "base64Encode",
            "cmdLine",
            "compressWhitespace",
            "cssDecode",
            "escapeSeqDecode",
            "hexDecode",
            "hexEncode",
            "htmlEntityDecode",
            "jsDecode",
            "length",
            "lowercase",
            "md5",
            "none",
            "normalizePath",
            "normalizePathWin",
            "parityEven7bit",
            "parityOdd7bit",
            "parityZero7bit",
            "removeComments",
            "removeCommentsChar",
            "removeNulls",
            "removeWhitespace",
            "replaceComments",
            "replaceNulls",
            "sha1",
            "sqlHexDecode",
            "trim",
            "trimLeft",
            "trimRight",
            "uppercase",
            "urlDecode",
            "urlDecodeUni",
            "urlEncode",
            "utf8toUnicode",
        )
    }
    | {"normalisepath": "normalizePath", "normalisepathwin": "normalizePathWin"}
)

DISRUPTIVE_ACTIONS: Final = frozenset({"allow", "block", "deny", "drop", "pass", "proxy", "redirect"})
# Actions with a place of their own in the tree.
STRUCTURAL_ACTIONS: Final = frozenset(
    {
        "capture",
        "chain",
        "id",
        "log",
        "logdata",
        "msg",
        "multimatch",
        "nolog",
        "phase",
        "severity",
        "skip",
        "skipafter",
        "t",
        "tag",
    }
)
EFFECT_ACTIONS: Final = frozenset({"ctl", "setvar"})
# About logs of others, about collections that outlive a request, about answers, or a word about the rule itself.
IGNORED_ACTIONS: Final = frozenset(
    {
        "accuracy",
        "auditlog",
        "deprecatevar",
        "expirevar",
        "initcol",
        "maturity",
        "noauditlog",
        "rev",
        "sanitisearg",
        "sanitisematched",
        "sanitisematchedbytes",
        "sanitiserequestheader",
        "sanitiseresponseheader",
        "setenv",
        "setrsc",
        "setsid",
        "setuid",
        "status",
        "ver",
        "xmlns",
    }
)
ACTIONS: Final = DISRUPTIVE_ACTIONS | STRUCTURAL_ACTIONS | EFFECT_ACTIONS | IGNORED_ACTIONS

# `ctl:` that changes what follows; the others configure bodies and logs.
CONTROLS: Final = frozenset(
    {
        "ruleengine",
        "ruleremovebyid",
        "ruleremovebymsg",
        "ruleremovebytag",
        "ruleremovetargetbyid",
        "ruleremovetargetbymsg",
        "ruleremovetargetbytag",
    }
)
IGNORED_CONTROLS: Final = frozenset(
    {
        "auditengine",
        "auditlogparts",
        "debugloglevel",
        "forcerequestbodyvariable",
        "hashenforcement",
        "hashengine",
        "parsexmlintoargs",
        "requestbodyaccess",
        "requestbodylimit",
        "requestbodyprocessor",
        "responsebodyaccess",
        "responsebodylimit",
    }
)

# RFC 5424 §6.2.1, as `severity` takes them.
SEVERITIES: Final[Mapping[str, int]] = MappingProxyType(
    {
        name: number
        for number, name in enumerate(("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"))
    }
)
PHASES: Final[Mapping[str, int]] = MappingProxyType(
    {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "request": 2, "response": 4, "logging": 5}
)
