"""What `config check` finds of the files that a configuration names: what `run` would refuse, and no more."""

import base64
from pathlib import Path

import pytest
import trustme

from holdfast.app.config_check import check_files
from holdfast.config.run import Config
from holdfast.errors import HoldfastError
from tests.unit.edge.mmdb import database


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    ca = trustme.CA()
    for name in ("one", "other"):
        leaf = ca.issue_cert("example.com")
        (directory / f"{name}.pem").write_bytes(leaf.cert_chain_pems[0].bytes())
        (directory / f"{name}.key").write_bytes(leaf.private_key_pem.bytes())
    (directory / "ca.pem").write_bytes(ca.cert_pem.bytes())
    (directory / "places.mmdb").write_bytes(database({"203.0.113.0/24": {"country": {"iso_code": "DE"}}}))
    (directory / "letter.txt").write_text("a letter to somebody")
    return directory


def of(files: Path, **given: str) -> Config:
    lists = {"cert", "key", "tls_listen"}
    tls = {"tls_listen": ["127.0.0.1:0"]} if "cert" in given else {}
    paths = {name: [str(files / one)] if name in lists else str(files / one) for name, one in given.items()}
    return Config.parse({"data_dir": str(files / "data"), **tls, **paths})


def test_files_that_can_be_used_are_taken_and_nothing_is_made(files: Path) -> None:
    config = of(
        files,
        cert="one.pem",
        key="one.key",
        origin_ca="ca.pem",
        geoip_database="places.mmdb",
        control_cert="other.pem",
        control_key="other.key",
    )
    before = sorted(files.iterdir())
    assert check_files(config, {}) == []
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"geoip_database": "none.mmdb"}, r"the GeoIP database .*none\.mmdb cannot be used: .*no such file"),
        ({"geoip_database": "letter.txt"}, r"the GeoIP database .*letter\.txt cannot be used"),
        ({"origin_ca": "none.pem"}, r"origin_ca: cannot read .*none\.pem: no such file"),
        ({"origin_ca": "letter.txt"}, r"origin_ca: .*letter\.txt holds no PEM certificate"),
        ({"cert": "none.pem", "key": "one.key"}, r"cannot read .*none\.pem"),
        ({"cert": "one.pem", "key": "letter.txt"}, r"letter\.txt holds no PEM private key"),
        ({"cert": "one.pem", "key": "other.key"}, r"other\.key does not match the certificate in .*one\.pem"),
        ({"control_cert": "one.pem", "control_key": "other.key"}, r"other\.key does not match"),
    ],
)
def test_a_file_that_run_would_refuse_is_refused(files: Path, given: dict[str, str], sentence: str) -> None:
    with pytest.raises(HoldfastError, match=sentence) as caught:
        check_files(of(files, **given), {})
    assert caught.value.exit_status == 2


def test_a_sealing_key_that_is_none_is_refused(files: Path) -> None:
    environ = {"HOLDFAST_SECRET_KEY": base64.b64encode(b"short").decode()}
    with pytest.raises(HoldfastError, match="HOLDFAST_SECRET_KEY: expected 32 bytes in base64"):
        check_files(of(files), environ)
