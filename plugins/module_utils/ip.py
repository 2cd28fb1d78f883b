# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IP networks as the collection reads and compares them; IPv4 and IPv6 alike."""

from __future__ import annotations

import ipaddress
import typing as t

Key = t.TypeVar("Key")

IPV6_MTU = 1280  # bytes that every link with IPv6 bears (RFC 8200, section 5); below, the kernel switches IPv6 off

if t.TYPE_CHECKING:  # pragma: no cover
    Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
    Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
    Interface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


def read_network(text: str) -> Network:
    """Return the network of a text that a user gave; raises ValueError, also for a zone (fe80::1%eth0)."""
    return ipaddress.ip_network(_without_zone(text))


def read_address(text: str) -> Address:
    """Return the address of a text that a user gave; raises ValueError, also for a zone."""
    return ipaddress.ip_address(_without_zone(text))


def read_interface(text: str) -> Interface:
    """Return an address, with the length of its network if one is given, as Go reads it; raises ValueError."""
    found = ipaddress.ip_interface(_without_zone(text))
    address, length = as_go_reads(found.ip), found.network.prefixlen - 96  # of the bits before the IPv4 address
    return ipaddress.ip_interface(f"{address}/{length}") if address != found.ip and length >= 0 else found


def as_go_reads(address: Address) -> Address:
    """Return the IPv4 address for one written as IPv6 (::ffff:10.0.0.1), as Go, and so Calico, takes it."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _without_zone(text: str) -> str:
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, which one host alone knows")
    return text


def contains(outer: Network, inner: Network) -> bool:
    """Tell whether the inner network lies in the outer one; networks of different families never do."""
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def overlaps(one: Network, other: Network) -> bool:
    """Tell whether two networks share an address; networks of different families never do."""
    return one.version == other.version and one.overlaps(other)


def joined(networks: t.Iterable[Network]) -> list[Network]:
    """Return the same addresses in as few networks as possible, those of IPv4 first."""
    found = list(networks)
    return [
        network
        for version in (4, 6)
        for network in ipaddress.collapse_addresses(n for n in found if n.version == version)  # type: ignore[type-var]
    ]


def overlapping(networks: t.Mapping[Key, Network]) -> t.Iterator[tuple[Key, Key]]:
    """Yield the pairs of keys whose networks share an address, the key of the wider network first.

    Of two networks that overlap, one contains the other, so one pass in the order of addresses finds all pairs: n log n
    for n networks, and one step for each pair.
    """
    containing: list[Key] = []
    for key in sorted(networks, key=lambda key: (*order(networks[key]), networks[key].prefixlen)):
        while containing and not overlaps(networks[containing[-1]], networks[key]):
            containing.pop()
        yield from ((outer, key) for outer in containing)
        containing.append(key)


def block_count(pool: Network, block_size: int) -> int:
    """Return how many blocks of a prefix length a pool holds."""
    return int(2 ** (block_size - pool.prefixlen))


def nth_block(pool: Network, block_size: int, index: int) -> Network:
    """Return the block at an index of a pool, counted from the pool's first address."""
    step = 1 << (pool.max_prefixlen - block_size)
    family = ipaddress.IPv4Network if pool.version == 4 else ipaddress.IPv6Network
    return family((int(pool.network_address) + index * step, block_size))


def block_index(pool: Network, block: Network) -> int:
    """Return the index of a block in its pool, counted from the pool's first address: nth_block the other way round."""
    return (int(block.network_address) - int(pool.network_address)) >> (block.max_prefixlen - block.prefixlen)


def host_prefix(address: Address) -> str:
    """Return an address as a network of one: /32 for IPv4, /128 for IPv6."""
    return f"{address}/{address.max_prefixlen}"


def has_ipv6(addresses: t.Iterable[str]) -> bool:
    """Tell whether an address or a network among texts is one of IPv6."""
    return any(map(is_ipv6, addresses))


def is_ipv6(text: str) -> bool:
    """Tell an address or a network of IPv6 from one of IPv4."""
    return ":" in text


def order(network: Network) -> tuple[int, int]:
    """Return a key that sorts networks by family and address."""
    return (network.version, int(network.network_address))
