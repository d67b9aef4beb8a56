"""libmodsecurity 3 by ctypes: the rules of a folder over the head of a request, for comparison.

Law: a transaction does what a server's module does for a request without a body: connection, target, headers, phases 1
and 2, and asks what it decided. Its log goes to a function, which by default drops it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import BenchError
from holdfast.model.request import Request

_LIBRARY = "libmodsecurity.so.3"
_LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class _Intervention(ctypes.Structure):
    """`ModSecurityIntervention` of modsecurity/intervention.h."""

    _fields_ = (
        ("status", ctypes.c_int),
        ("pause", ctypes.c_int),
        ("url", ctypes.c_char_p),
        ("log", ctypes.c_char_p),
        ("disruptive", ctypes.c_int),
    )


class ModSecurity:
    """The library with the rules of these files, in order; `log` is told each line of its log. Raises BenchError."""

    def __init__(self, files: Sequence[Path], *, log: Callable[[bytes], None] | None = None) -> None:
        self._library = _load()
        self._engine = self._library.msc_init()
        # Kept, for the library calls it as long as it lives.
        self._log = _LOG(lambda _, line: log(ctypes.string_at(line)) if log and line else None)
        self._library.msc_set_log_cb(self._engine, self._log)
        self._rules = self._library.msc_create_rules_set()
        with TemporaryDirectory() as folder:
            main = Path(folder) / "main.conf"
            lines = ["SecRuleEngine On", "SecRequestBodyAccess On", *(f"Include {file}" for file in files)]
            main.write_text("\n".join([*lines, ""]), encoding="utf-8")
            error = ctypes.c_char_p()
            if self._library.msc_rules_add_file(self._rules, str(main).encode(), ctypes.byref(error)) < 0:
                raise BenchError(f"libmodsecurity cannot read the rules: {(error.value or b'').decode()}")

    def judge(self, request: Request) -> Callable[[], int]:
        """A function that judges `request` anew each time, and gives the status it is refused with, 0 if it is not."""
        library, engine, rules = self._library, self._engine, self._rules
        target = f"{request.path}?{request.query}" if request.query else request.path
        uri, method, version = target.encode(), request.method.encode(), request.version.removeprefix("HTTP/").encode()
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        client, server = request.client_ip.encode(), b"192.0.2.1"

        def judged() -> int:
            transaction = library.msc_new_transaction(engine, rules, None)
            library.msc_process_connection(transaction, client, request.client_port, server, request.edge_port)
            library.msc_process_uri(transaction, uri, method, version)
            for name, value in headers:
                library.msc_add_request_header(transaction, name, value)
            library.msc_process_request_headers(transaction)
            library.msc_process_request_body(transaction)
            found = _Intervention(status=200)
            refused = library.msc_intervention(transaction, ctypes.byref(found))
            library.msc_transaction_cleanup(transaction)
            return found.status if refused else 0

        return judged


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise BenchError(f"{_LIBRARY} is missing: Debian's package libmodsecurity3 ({error})") from error
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "msc_init": (pointer, []),
        "msc_set_log_cb": (None, [pointer, _LOG]),
        "msc_create_rules_set": (pointer, []),
        "msc_rules_add_file": (number, [pointer, text, pointer]),
        "msc_new_transaction": (pointer, [pointer, pointer, pointer]),
        "msc_process_connection": (number, [pointer, text, number, text, number]),
        "msc_process_uri": (number, [pointer, text, text, text]),
        "msc_add_request_header": (number, [pointer, text, text]),
        "msc_process_request_headers": (number, [pointer]),
        "msc_process_request_body": (number, [pointer]),
        "msc_intervention": (number, [pointer, pointer]),
        "msc_transaction_cleanup": (None, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
