# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes, endpoints and tunnels of any shape: each list is taken, or refused in words; nothing else happens."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import tempfile
import typing as t

import pytest

pytest.importorskip("hypothesis")

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import endpoint_entries, host_requests, vtep_tables
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.pod_requests import requests
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import (
    FIELDS,
    Wanted,
    from_file,
    parse,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import decode, describe
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_entries import normalise
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnel_requests import creation

V4, V6 = socket.AF_INET, socket.AF_INET6
# A test says what is right, not how fast: other work on the machine is no failure.

Json = t.Dict[str, t.Any]


def outcome(entries: t.Any) -> Wanted | None:
    """Return what becomes of entries, or None if they are refused in words; anything else is a failure."""
    try:
        found = parse(entries, Devices(unborn=True))
    except PodnetError as error:
        assert error.message.strip()
        assert error.remedy.strip()
        return None
    for body in found.bodies:
        assert describe(decode(body), str)
    return found


# Texts with all that users, templates and attackers come up with: halves of surrogate pairs, zero bytes, blanks.
TEXTS = st.text(alphabet=st.characters(), max_size=20) | st.text(alphabet="0123456789abcdef./:% \0\ud800-", max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400) | st.floats() | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*FIELDS, "x"]) | TEXTS, inner),
    max_leaves=12,
)


@given(JSON | st.lists(JSON))
def test_any_value_is_taken_or_refused_in_words(value: t.Any) -> None:
    outcome(value)


ADDRESSES4, ADDRESSES6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
NETWORKS4 = st.builds(
    lambda n, length: f"{_masked(n, length, 32)}/{length}", st.integers(0, 2**32 - 1), st.integers(0, 32)
)
NETWORKS6 = st.builds(
    lambda n, length: f"{_masked(n, length, 128)}/{length}", st.integers(0, 2**128 - 1), st.integers(0, 128)
)


def _masked(number: int, length: int, bits: int) -> str:
    packed = (number >> (bits - length) << (bits - length)).to_bytes(bits // 8, "big")
    return socket.inet_ntop(V4 if bits == 32 else V6, packed)


HOPS = st.fixed_dictionaries(
    {},
    optional={"gateway": ADDRESSES4, "device": st.just("eth7"), "onlink": st.booleans(), "weight": st.integers(0, 257)},
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "destination": NETWORKS4 | NETWORKS6 | ADDRESSES4,
        "destinations": st.lists(NETWORKS4 | NETWORKS6 | ADDRESSES6, max_size=4),
        "type": st.sampled_from(("unicast", "blackhole", "unreachable")),
        "gateway": ADDRESSES4 | ADDRESSES6,
        "device": st.sampled_from(("lo", "eth7")),
        "onlink": st.booleans(),
        "scope": st.sampled_from(("global", "link")),
        "source": ADDRESSES4,
        "metric": st.integers(-1, 2**32),
        "mtu": st.integers(0, 65536),
        "table": st.integers(0, 2**32),
        "next_hops": st.lists(HOPS, max_size=3),
    },
)


@st.composite
def nearly_valid(draw: st.DrawFn) -> list[Json]:
    """Return entries as they should be, some with one option of any value."""
    entries = draw(st.lists(ENTRIES, max_size=4))
    for entry in entries:
        if draw(st.booleans()):
            entry[draw(st.sampled_from([*FIELDS, "destination", "destinations"]) | TEXTS)] = draw(JSON)
    return entries


@settings(max_examples=500)
@given(nearly_valid())
@example([{"destination": "10.0.0.0/26", "device": "\ud800"}])
@example([{"destination": "10.0.0.0/26\0", "device": "lo"}])
@example([{"destination": "10.0.0.0/26", "device": "lo\0"}])
@example([{"destination": "\ud800", "device": "lo"}])
@example([{"destination": "10.0.0.0/26", "gateway": "\ud800", "\ud800": 1}])
def test_what_is_nearly_right_is_taken_or_refused_in_words(entries: list[Json]) -> None:
    outcome(entries)


GROUPS = st.lists(NETWORKS4 | ADDRESSES4, min_size=1, max_size=12) | st.lists(
    NETWORKS4 | NETWORKS6 | ADDRESSES6, min_size=1, max_size=12
)


@given(GROUPS, ENTRIES)
@example(["192.0.2.7", "192.0.2.8/32"], {"type": "blackhole"})
@example(["0.0.0.0/0", "::/0"], {"device": "lo", "metric": 0})
def test_destinations_in_one_entry_are_the_same_as_an_entry_each(destinations: list[str], options: Json) -> None:
    rest = {option: value for option, value in options.items() if not option.startswith("destination")}
    grouped = outcome([{"destinations": destinations, **rest}])
    single = outcome([{"destination": destination, **rest} for destination in destinations])
    assert grouped == single


@given(GROUPS)
def test_no_destination_is_lost_or_made_up(destinations: list[str]) -> None:
    def canonical(text: str) -> str:
        address, __, length = text.partition("/")
        family = V6 if ":" in address else V4
        bits = 128 if family == V6 else 32
        return f"{socket.inet_ntop(family, socket.inet_pton(family, address))}/{length or bits} blackhole"

    found = parse([{"destinations": destinations, "type": "blackhole"}], Devices()).bodies
    assert {describe(decode(body), str) for body in found} == set(map(canonical, destinations))


def from_bytes(data: bytes) -> t.Any:
    """Return what a file with these bytes holds."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "routes.json")
        with open(path, "wb") as file:
            file.write(data)
        return from_file(path)


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b"1" * 5_000)
@example(b"\xef\xbb\xbf[]")
@example(b"[NaN, Infinity]")
@example(b'[{"destination": "\\ud800/26", "type": "blackhole"}]')
def test_any_file_is_taken_or_refused_in_words(data: bytes) -> None:
    try:
        value = from_bytes(data)
    except InvalidInput as error:
        assert error.message.startswith("read routes from ")
        assert ": it is not JSON: " in error.message
        return
    outcome(value)


@given(JSON)
def test_a_file_holds_what_was_written(value: t.Any) -> None:
    text = json.dumps(value)
    try:
        assert json.dumps(from_bytes(text.encode())) == text
    except InvalidInput as error:
        raise AssertionError(text) from error


WORDS = st.sampled_from(("shop.web-0", "web", "eth0", "calidb", "default", "..", "eth%d", "a/b", "/proc/1/ns/net", ""))
NAMES = WORDS | TEXTS
POD_ADDRESSES = (
    st.sampled_from(
        ("10.244.0.5", "10.244.0.5/32", "10.244.0.5/24", "fd00::5/128", "FD00::5", "fe80::1", "fd00::5%eth0")
    )
    | ADDRESSES4
    | ADDRESSES6
    | TEXTS
)
MACS = st.sampled_from(("02:00:00:00:00:05", "02-00-00-00-00-0A", "ff:ff:ff:ff:ff:ff", "02:00")) | TEXTS
SMALL = st.integers(-2, 70000) | st.integers()
ENDPOINT = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "netns": st.none() | NAMES,
        "pid": st.none() | SMALL,
        "addresses": st.lists(POD_ADDRESSES, max_size=3),
        "mtu": st.none() | SMALL,
        "interface": st.none() | NAMES,
        "host_interface": st.none() | NAMES,
        "mac": st.none() | MACS,
    },
)


@settings(max_examples=500)
@given(st.lists(ENDPOINT, max_size=3))
@example([{"name": "\ud800"}])
@example([{"name": "web", "netns": "\ud800"}])
@example([{"name": "web", "interface": "\ud800"}])
@example([{"name": "web", "host_interface": "\u20ac" * 6}])
@example([{"name": "web", "addresses": ["fd00::5%eth0"]}])
@example([{"name": "web", "pid": 0}])
@example([{"name": "web", "pid": 10**30}])
def test_any_endpoints_are_taken_or_refused_in_words(entries: list[Json]) -> None:
    try:
        wanted = endpoint_entries.parse(entries)
    except PodnetError as error:
        assert error.message.strip()
        assert error.remedy.strip()
        return
    assert len(wanted) == len(entries)
    for name, entry in wanted.items():
        made = host_requests.creation(name, entry, 3) + requests(entry, 2, None)
        made += host_requests.route_requests(2, entry["addresses"], ())
        assert all(isinstance(body, bytes) for __, __, body in made)
        assert len(endpoint_entries.alias_of(entry).encode()) < 256
        again = {**entry, "name": entry["workload"], "host_interface": name}
        assert endpoint_entries.parse([again]) == {name: entry}


PEERS = st.fixed_dictionaries(
    {
        "address": ADDRESSES4 | POD_ADDRESSES,
        "mac": st.just("66:00:00:00:00:02") | MACS,
        "underlay": st.just("192.0.2.12") | POD_ADDRESSES,
    }
)
TUNNEL = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(("ipip", "vxlan")),
        "name": st.just("vxlan.calico") | NAMES,
        "address": st.just("10.244.0.1/32") | POD_ADDRESSES,
        "mtu": st.just(1450) | SMALL,
    },
    optional={
        "local": st.none() | st.just("192.0.2.11") | POD_ADDRESSES,
        "parent": st.none() | st.just("eth0") | NAMES,
        "mac": st.none() | st.just("66:00:00:00:00:01") | MACS,
        "vni": st.none() | st.just(4096) | SMALL,
        "port": st.none() | st.just(4789) | SMALL,
        "peers": st.lists(PEERS, max_size=3),
    },
)
GOOD: Json = {
    "kind": "vxlan",
    "name": "vxlan.calico",
    "address": "10.244.0.1/32",
    "mtu": 1450,
    "local": "192.0.2.11",
    "parent": "eth0",
    "mac": "66:00:00:00:00:01",
    "vni": 4096,
    "port": 4789,
}
PEER = {"address": "10.244.1.0", "mac": "66:00:00:00:00:02", "underlay": "192.0.2.12"}


def tunnel_outcome(entry: Json) -> Json | None:
    """Return what becomes of a tunnel, or None if it is refused in words; anything else is a failure."""
    try:
        found = normalise(entry)
    except PodnetError as error:
        assert error.message.strip()
        assert error.remedy.strip()
        return None
    assert str(ipaddress.ip_interface(found["address"])) == found["address"]
    if found["kind"] == "vxlan":
        made = creation(entry["name"], found, 2)
        made += [request for __, request in vtep_tables._requests(2, "neighbours", {}, found["neighbours"])]
        made += [request for __, request in vtep_tables._requests(2, "fdb", {}, found["fdb"])]
        assert all(isinstance(body, bytes) for __, __, body in made)
    return found


@settings(max_examples=500)
@given(TUNNEL)
@example({**GOOD, "name": "\ud800"})
@example({**GOOD, "parent": "\ud800"})
@example({**GOOD, "vni": 1 << 24})
@example({**GOOD, "port": 65536})
@example({**GOOD, "mtu": -1})
@example({**GOOD, "local": "fe80::1%eth0"})
@example({**GOOD, "peers": [{**PEER, "address": "fd00::1%eth0"}]})
def test_any_tunnel_is_taken_or_refused_in_words(entry: Json) -> None:
    tunnel_outcome(entry)


@given(st.lists(st.builds(lambda a, m, u: {"address": a, "mac": m, "underlay": u}, *[st.sampled_from("123")] * 3)))
def test_no_peer_is_lost(numbers: list[Json]) -> None:
    peers = [
        {
            "address": f"10.244.{peer['address']}.0",
            "mac": f"66:00:00:00:00:0{peer['mac']}",
            "underlay": f"192.0.2.{peer['underlay']}",
        }
        for peer in numbers
    ]
    found = tunnel_outcome({**GOOD, "peers": peers})
    assert (found is None) == any(
        (one["address"] == other["address"] and one["mac"] != other["mac"])
        or (one["mac"] == other["mac"] and one["underlay"] != other["underlay"])
        for one in peers
        for other in peers
    )
    if found is not None:
        assert found["neighbours"] == {peer["address"]: peer["mac"] for peer in peers}
        assert found["fdb"] == {peer["mac"]: peer["underlay"] for peer in peers}
