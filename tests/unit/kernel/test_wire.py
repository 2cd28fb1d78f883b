# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our bytes of netlink messages against pyroute2's: what one writes the other has to read as it was meant."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("pyroute2")

from hypothesis import given, settings
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ansible_collections.podnet.calico.plugins.module_utils.kernel import (
    host_requests,
    links,
    pod_requests,
    pod_side,
    tunnel_requests,
    vtep_tables,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import (
    TYPES,
    Hop,
    Route,
    Template,
    Way,
    decode,
    describe,
    encode,
    stripped,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    HEADER,
    RTM_DELADDR,
    RTM_NEWADDR,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTMSG,
    as_number,
    as_text,
    attribute,
    attributes,
    number,
    text,
)

FAMILIES = (socket.AF_INET, socket.AF_INET6)
SIZES = {socket.AF_INET: 4, socket.AF_INET6: 16}
ONLINK = 4
RTAX_MTU = 2
INDEXES = st.integers(1, (1 << 31) - 1)
NUMBERS = st.integers(1, (1 << 32) - 1)
MACS = st.binary(min_size=6, max_size=6).map(lambda packed: packed.hex(":"))
V4, V6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
ADDRESSES = V4 | V6
NAMES = st.from_regex(r"[a-z][a-z0-9.]{0,14}", fullmatch=True)

# A test says what is right, not how fast: other work on the machine is no failure.

Message = t.Any


def read_by_pyroute2(kind: t.Callable[[bytes], Message], body: bytes) -> Message:
    """Return a body as pyroute2 decodes it."""
    message = kind(HEADER.pack(HEADER.size + len(body), 0, 0, 0, 0) + body)
    message.decode()
    return message


def written_by_pyroute2(message: Message) -> bytes:
    """Return the body of a message as pyroute2 encodes it."""
    message.encode()
    return bytes(message.data)[HEADER.size :]


def packed(size: int) -> st.SearchStrategy[bytes]:
    """Return packed addresses but for the zero address, which says that there is none."""
    return st.binary(min_size=size, max_size=size).filter(any)


@st.composite
def networks(draw: st.DrawFn, family: int) -> tuple[bytes, int]:
    """Return a packed network without host bits, and its prefix length."""
    bits = SIZES[family] * 8
    length = draw(st.integers(0, bits))
    value = draw(st.integers(0, (1 << length) - 1)) << (bits - length)
    return value.to_bytes(bits // 8, "big"), length


@st.composite
def hops(draw: st.DrawFn, size: int) -> tuple[Hop, ...]:
    """Return the ways of a unicast route: one, which has no weight, or several in canonical order."""
    weights = st.integers(1, 256)
    single = st.builds(Hop, st.just(b"") | packed(size), INDEXES, st.booleans(), st.just(1))
    several = st.lists(st.builds(Hop, st.just(b"") | packed(size), INDEXES, st.booleans(), weights), min_size=2)
    return tuple(sorted(draw(st.tuples(single) | several)))


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Return a route of any of our shapes."""
    family = draw(st.sampled_from(FAMILIES))
    size = SIZES[family]
    kind = draw(st.sampled_from(sorted(TYPES)))
    way = Way(
        family=family,
        kind=TYPES[kind],
        table=draw(st.integers(1, 300) | NUMBERS),
        metric=draw(st.just(0) | NUMBERS),
        hops=draw(hops(size)) if kind == "unicast" else (),
        source=draw(st.just(b"") | packed(size)),
        mtu=draw(st.integers(0, 65535)) if kind == "unicast" else 0,
        scope=draw(st.sampled_from((0, 253))) if family == socket.AF_INET else 0,
    )
    destination, length = draw(networks(family))
    return Route(destination, length, draw(st.integers(0, 255)), way)


def as_text_of(family: int, address: bytes) -> str | None:
    return socket.inet_ntop(family, address) if address else None


def same_address(one: str | None, other: str | None) -> bool:
    return one == other or (None not in (one, other) and ipaddress.ip_address(one) == ipaddress.ip_address(other))


@given(routes())
def test_a_route_of_ours_reads_back_as_it_was(route: Route) -> None:
    assert decode(encode(route)) == route
    assert encode(decode(encode(route))) == encode(route)


@given(routes())
def test_pyroute2_reads_our_routes(route: Route) -> None:
    way = route.way
    message = read_by_pyroute2(rtmsg, encode(route))
    fields = ("family", "dst_len", "src_len", "tos", "proto", "scope", "type")
    expected = (way.family, route.length, 0, 0, route.protocol, way.scope, way.kind)
    assert tuple(message[field] for field in fields) == expected
    assert message["table"] == (way.table if way.table < 256 else 252)
    assert message.get_attr("RTA_TABLE") == way.table
    destination = as_text_of(way.family, route.destination) if route.length else None
    assert same_address(message.get_attr("RTA_DST"), destination)
    assert message.get_attr("RTA_PRIORITY") == (way.metric or None)
    assert same_address(message.get_attr("RTA_PREFSRC"), as_text_of(way.family, way.source))
    metrics = message.get_attr("RTA_METRICS")
    assert (metrics.get_attr("RTAX_MTU") if metrics else None) == (way.mtu or None)
    assert [hop_of(message, way.family)] == list(way.hops) if len(way.hops) == 1 else not message["flags"]
    assert hops_of(message, way.family) == (list(way.hops) if len(way.hops) > 1 else [])
    assert message.get_attr("RTA_OIF") == (
        way.hops[0].device if len(way.hops) == 1 else 1 if not way.hops and way.family == socket.AF_INET6 else None
    )


def hop_of(message: Message, family: int, weight: int = 1) -> Hop:
    gateway = message.get_attr("RTA_GATEWAY")
    device = message.get("oif") or message.get_attr("RTA_OIF")
    via = socket.inet_pton(family, gateway) if gateway else b""
    return Hop(via, device, bool(message["flags"] & ONLINK), weight)


def hops_of(message: Message, family: int) -> list[Hop]:
    return [hop_of(hop, family, hop["hops"] + 1) for hop in message.get_attr("RTA_MULTIPATH") or ()]


@given(routes())
def test_we_read_the_routes_of_pyroute2(route: Route) -> None:
    assert decode(written_by_pyroute2(as_message(route))) == route


def as_message(route: Route) -> Message:
    way = route.way
    message = rtmsg()
    message.update(
        family=way.family,
        dst_len=route.length,
        table=min(way.table, 252),
        proto=route.protocol,
        scope=way.scope,
        type=way.kind,
        flags=ONLINK if len(way.hops) == 1 and way.hops[0].onlink else 0,
    )
    found: list[t.Any] = [["RTA_TABLE", way.table]]
    found += [["RTA_DST", socket.inet_ntop(way.family, route.destination)]] if route.length else []
    found += [["RTA_PRIORITY", way.metric]] if way.metric else []
    found += [["RTA_METRICS", {"attrs": [["RTAX_MTU", way.mtu]]}]] if way.mtu else []
    found += [["RTA_PREFSRC", socket.inet_ntop(way.family, way.source)]] if way.source else []
    if len(way.hops) > 1:
        found.append(["RTA_MULTIPATH", [as_next_hop(hop, way.family) for hop in reversed(way.hops)]])
    elif way.hops:
        found += as_next_hop(way.hops[0], way.family)["attrs"] + [["RTA_OIF", way.hops[0].device]]
    message["attrs"] = found
    return message


def as_next_hop(hop: Hop, family: int) -> dict[str, t.Any]:
    gateway = [["RTA_GATEWAY", socket.inet_ntop(family, hop.gateway)]] if hop.gateway else []
    flags = ONLINK if hop.onlink else 0
    return {"oif": hop.device, "hops": hop.weight - 1, "flags": flags, "attrs": gateway}


@given(routes(), st.data())
def test_routes_that_differ_in_the_destination_only_are_made_by_one_template(route: Route, data: st.DataObject) -> None:
    size = SIZES[route.way.family]
    others = data.draw(st.lists(st.binary(min_size=size, max_size=size)))
    bodies = Template(route.way, route.protocol).bodies(size * 8, others)
    assert bodies == [encode(Route(other, size * 8, route.protocol, route.way)) for other in others]


@given(routes())
def test_what_the_kernel_adds_to_ipv6_routes_is_no_difference(route: Route) -> None:
    tail = attribute(12, bytes(32)) + attribute(20, b"\0")
    assert stripped(encode(route) + tail) == encode(route)
    assert decode(encode(route) + tail) == route


@given(routes())
def test_every_route_has_words(route: Route) -> None:
    words = describe(route, str)
    assert words.startswith(f"{socket.inet_ntop(route.way.family, route.destination)}/{route.length} ")
    assert all(str(hop.device) in words for hop in route.way.hops)


ENDPOINTS = st.fixed_dictionaries(
    {
        "workload": NAMES,
        "netns": NAMES,
        "addresses": st.lists(V4.map(lambda a: f"{a}/32") | V6.map(lambda a: f"{a}/128"), max_size=4, unique=True),
        "mtu": st.integers(68, 65535),
        "interface": NAMES,
    },
    optional={"mac": MACS},
)


@given(NAMES, ENDPOINTS, st.integers(0, (1 << 20)))
def test_pyroute2_reads_the_creation_of_a_pair(name: str, entry: dict[str, t.Any], netns: int) -> None:
    made, marked = (body for __, __, body in host_requests.creation(name, entry, netns))
    link = read_by_pyroute2(ifinfmsg, made)
    assert (link["index"], link["flags"], link.get_attr("IFLA_IFNAME")) == (0, 0, name)
    assert (link.get_attr("IFLA_MTU"), link.get_attr("IFLA_ADDRESS")) == (entry["mtu"], pod_side.HOST_MAC)
    info = link.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == "veth"
    peer = info.get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")
    assert (peer.get_attr("IFLA_IFNAME"), peer.get_attr("IFLA_MTU")) == (entry["interface"], entry["mtu"])
    assert peer.get_attr("IFLA_NET_NS_FD") == netns
    assert peer.get_attr("IFLA_ADDRESS") == entry.get("mac")
    link = read_by_pyroute2(ifinfmsg, marked)
    assert link.get_attr("IFLA_IFNAME") == name
    assert link.get_attr("IFLA_IFALIAS") == f"podnet.calico endpoint {entry['workload']} {entry['netns']}"


VXLANS = st.fixed_dictionaries(
    {
        "kind": st.just("vxlan"),
        "vni": st.integers(0, (1 << 24) - 1),
        "port": st.integers(1, 65535),
        "local": ADDRESSES,
        "mac": MACS,
    }
)


@given(NAMES, VXLANS, INDEXES)
def test_pyroute2_reads_the_creation_of_a_vxlan(name: str, entry: dict[str, t.Any], parent: int) -> None:
    made, marked = (body for __, __, body in tunnel_requests.creation(name, entry, parent))
    link = read_by_pyroute2(ifinfmsg, made)
    assert (link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_ADDRESS")) == (name, entry["mac"])
    info = link.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == "vxlan"
    data = info.get_attr("IFLA_INFO_DATA")
    local = ("IFLA_VXLAN_LOCAL", "IFLA_VXLAN_LOCAL6")[":" in entry["local"]]
    assert same_address(data.get_attr(local), entry["local"])
    seen = [data.get_attr(f"IFLA_VXLAN_{word}") for word in ("ID", "LINK", "PORT", "LEARNING")]
    assert seen == [entry["vni"], parent, entry["port"], 0]
    assert read_by_pyroute2(ifinfmsg, marked).get_attr("IFLA_IFALIAS") == "podnet.calico tunnel"


@given(NAMES, st.text(max_size=60).filter(lambda word: "\0" not in word), MACS, st.integers(68, 65535), INDEXES)
def test_we_read_the_links_of_pyroute2(name: str, alias: str, mac: str, mtu: int, index: int) -> None:
    message = ifinfmsg()
    message.update(index=index, flags=1)
    message["attrs"] = [
        ["IFLA_IFNAME", name],
        ["IFLA_IFALIAS", alias],
        ["IFLA_ADDRESS", mac],
        ["IFLA_MTU", mtu],
        ["IFLA_LINK", index],
        ["IFLA_LINKINFO", {"attrs": [["IFLA_INFO_KIND", "vxlan"], ["IFLA_INFO_DATA", VXLAN_DATA]]}],
    ]
    link = links.link_of(written_by_pyroute2(message))
    assert (link.index, link.up, link.name, link.alias) == (index, True, name, alias)
    assert (link.mac, link.mtu, link.peer, link.kind) == (mac, mtu, index, "vxlan")
    assert as_number(link.data[1]) == 4096
    assert link.data[4] == socket.inet_aton("192.0.2.11")


VXLAN_DATA = {"attrs": [["IFLA_VXLAN_ID", 4096], ["IFLA_VXLAN_LOCAL", "192.0.2.11"]]}


@given(st.dictionaries(ADDRESSES, MACS, max_size=5), st.dictionaries(MACS, ADDRESSES, max_size=5), INDEXES)
def test_pyroute2_reads_the_tables_of_a_vxlan(neighbours: dict[str, str], fdb: dict[str, str], index: int) -> None:
    requests = [request for __, request in vtep_tables._requests(index, "neighbours", {}, neighbours)]
    requests += [request for __, request in vtep_tables._requests(index, "fdb", {}, fdb)]
    seen: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for kind, __, body in requests:
        message = read_by_pyroute2(ndmsg, body)
        bridge = message["family"] == vtep_tables.AF_BRIDGE
        assert (kind, message["ifindex"], message["state"]) == (RTM_NEWNEIGH, index, 0x80)
        assert message["flags"] == (2 if bridge else 0)
        destination = socket.inet_ntop(*family_and_bytes(attributes(body, 12)[1]))
        address, mac = str(ipaddress.ip_address(destination)), message.get_attr("NDA_LLADDR")
        assert bridge or same_address(message.get_attr("NDA_DST"), address)
        seen[bridge].update({mac: address} if bridge else {address: mac})
    assert seen == {False: neighbours, True: fdb}


def family_and_bytes(address: bytes) -> tuple[int, bytes]:
    return (socket.AF_INET6 if len(address) == 16 else socket.AF_INET), address


@given(ENDPOINTS, INDEXES)
def test_pyroute2_reads_what_a_pod_is_given(entry: dict[str, t.Any], index: int) -> None:
    requests = pod_requests.requests(entry, index, None)
    by_kind = {kind: [body for each, __, body in requests if each == kind] for kind, __, __ in requests}
    loopback, link = (read_by_pyroute2(ifinfmsg, body) for body in by_kind.pop(RTM_SETLINK))
    assert (loopback["index"], loopback["flags"] & 1, link["index"], link["flags"] & 1) == (1, 1, index, 1)
    assert (link.get_attr("IFLA_MTU"), link.get_attr("IFLA_ADDRESS")) == (entry["mtu"], entry.get("mac"))
    found = [read_by_pyroute2(ifaddrmsg, body) for body in by_kind.pop(RTM_NEWADDR, [])]
    assert {address["index"] for address in found} <= {index}
    assert {address.get_attr("IFA_LOCAL") for address in found} == {a.get_attr("IFA_ADDRESS") for a in found}
    seen = {str(ipaddress.ip_interface(f"{a.get_attr('IFA_LOCAL')}/{a['prefixlen']}")) for a in found}
    assert seen == set(entry["addresses"])
    versions = {6 if ":" in address else 4 for address in entry["addresses"]}
    gateways = {pod_side.gateway(version) for version in versions}
    near = [read_by_pyroute2(ndmsg, body) for body in by_kind.pop(RTM_NEWNEIGH, [])]
    assert {n.get_attr("NDA_DST"): n.get_attr("NDA_LLADDR") for n in near} == dict.fromkeys(gateways, pod_side.HOST_MAC)
    ways = [read_by_pyroute2(rtmsg, body) for body in by_kind.pop(RTM_NEWROUTE, [])]
    assert {way.get_attr("RTA_GATEWAY") for way in ways if not way["dst_len"]} == gateways
    assert {way.get_attr("RTA_DST") for way in ways if way["dst_len"]} == gateways - {pod_side.HOST_LINK_LOCAL}
    assert not by_kind


@given(ENDPOINTS, ENDPOINTS, INDEXES)
def test_a_pod_loses_the_addresses_that_it_shall_not_have(
    before: dict[str, t.Any], after: dict[str, t.Any], index: int
) -> None:
    link = links.Link(index, 1, {})
    seen = pod_side.PodSide(link, before["addresses"], set(), {}, loopback_up=True)
    requests = pod_requests.requests(after, index, seen)
    found = {
        kind: {
            str(ipaddress.ip_interface(f"{m.get_attr('IFA_LOCAL')}/{m['prefixlen']}"))
            for m in (read_by_pyroute2(ifaddrmsg, body) for each, __, body in requests if each == kind)
        }
        for kind in (RTM_NEWADDR, RTM_DELADDR)
    }
    assert found[RTM_NEWADDR] == set(after["addresses"]) - set(before["addresses"])
    assert found[RTM_DELADDR] == set(before["addresses"]) - set(after["addresses"])


KINDS = st.integers(0, 0x3FFF)


@given(st.dictionaries(KINDS, st.binary(max_size=70)), st.sampled_from((0, 0x4000, 0x8000)))
def test_attributes_read_back(given_: dict[int, bytes], flag: int) -> None:
    data = b"".join(attribute(kind | flag, payload) for kind, payload in given_.items())
    assert len(data) % 4 == 0
    assert attributes(b"head" + data, 4) == given_


@settings(max_examples=500)
@given(st.binary(max_size=300), st.integers(0, 400))
def test_attributes_take_any_bytes(data: bytes, start: int) -> None:
    for kind, payload in attributes(data, start).items():
        assert 0 <= kind <= 0x3FFF
        assert payload in data
        assert isinstance(as_text(payload), str)
        assert as_number(payload) >= 0


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_routes_and_links_are_read_from_any_bytes(data: bytes) -> None:
    route = decode(data.ljust(RTMSG.size, b"\0"))
    assert list(route.way.hops) == sorted(route.way.hops)
    link = links.link_of(data.ljust(16, b"\0"))
    for said in (link.name, link.alias, link.kind, link.mac):
        assert isinstance(said, str)
    assert isinstance(link.data, dict)


@given(st.integers(0, (1 << 32) - 1), st.text(max_size=30).filter(lambda word: not word.endswith("\0")))
def test_numbers_and_texts_read_back(value: int, word: str) -> None:
    found = attributes(number(1, value) + text(2, word))
    assert (as_number(found[1]), as_text(found[2])) == (value, word)
    assert (as_number(None, 7), as_text(None)) == (7, "")
