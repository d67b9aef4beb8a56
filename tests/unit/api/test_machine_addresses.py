"""`holdfast.api.machine_addresses`: what the kernel's files say."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.machine_addresses import ipv4_of, ipv6_of, machine_addresses

FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.2.0/24 2 0 2
        |-- 10.0.2.0
           /24 link UNICAST
        |-- 10.0.2.15
           /32 host LOCAL
        |-- 10.0.2.255
           /32 link BROADCAST
        |-- 9.9.9.9
           /32 host LOCAL
        |-- 169.254.3.4
           /32 host LOCAL
Local:
        |-- 10.0.2.15
           /32 host LOCAL
        |-- 999.1.1.1
           /32 host LOCAL
"""
IF_INET6 = """fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_own_addresses_are_told_from_networks_and_links() -> None:
    assert ipv4_of(FIB_TRIE) == ["9.9.9.9/32", "10.0.2.15/32"]
    assert ipv6_of(IF_INET6) == ["::1/128", "fd00::2/128"]


@given(st.text())
def test_whatever_the_files_hold_what_is_told_are_addresses(text: str) -> None:
    for told in ipv4_of(FIB_TRIE + text) + ipv6_of(IF_INET6 + text):
        assert ipaddress.ip_network(told).num_addresses == 1


def test_this_machine_has_a_loopback_address() -> None:
    assert "127.0.0.1/32" in machine_addresses()[0]
