"""`holdfast config check`: the files that a configuration names, opened and read as `holdfast run` would.

Law 1: what is refused here is what `run` refuses, in the same words, for it is the same code that reads.
Law 2: nothing is made, listened on or written; that an address is free can only be known by taking it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from holdfast.app.live_zones import check_origin_ca
from holdfast.certificates.pair import CertificatePair, load_pair
from holdfast.config.run import Config
from holdfast.errors import SetupError
from holdfast.event_log import utc_now
from holdfast.sealing import load_key
from holdfast.served_certificates import native_certificates


def check_files(config: Config, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Warnings, sentences, about the files that `config` names. Raises SetupError for the first that cannot be used."""
    now = utc_now()
    load_key(config.data_dir, environ)
    pairs = [load_pair(cert, key, now=now) for cert, key in config.certificate_files]
    _try_in_the_core(pairs)
    if config.origin_ca is not None:
        check_origin_ca(config.origin_ca)
    if config.geoip_database is not None:
        # Loaded here and not with this module: few have such a database.
        from holdfast.edge.geoip import GeoIp  # noqa: PLC0415

        GeoIp.open(config.geoip_database, log=lambda *_: None)
    if config.control_cert is not None and config.control_key is not None:
        pairs.append(load_pair(config.control_cert, config.control_key, now=now))
    return [warning for pair in pairs for warning in pair.warnings]


def _try_in_the_core(pairs: list[CertificatePair]) -> None:
    try:
        native_certificates(pairs) if pairs else None
    except ValueError as error:
        raise SetupError(f"the edge cannot start: {error}") from error
