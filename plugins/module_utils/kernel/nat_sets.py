# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks as elements of nftables sets: how nft's JSON spells them, and which elements have to go and to come."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import contains, joined

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network


class Element(t.NamedTuple):
    """An element of a set: as nft spells it (spelling), and its networks: none where it is not made of addresses."""

    spelling: t.Any
    networks: list[Network]


class Cover:
    """The addresses of networks, to ask whether a network lies within them; the answer does not search through them."""

    def __init__(self, networks: t.Iterable[Network]) -> None:
        self.networks = joined(networks)
        self._found = frozenset(self.networks)
        self._lengths = sorted({(network.version, network.prefixlen) for network in self.networks})

    def __contains__(self, network: Network) -> bool:
        return any(
            network.supernet(new_prefix=length) in self._found
            for version, length in self._lengths
            if version == network.version and length <= network.prefixlen
        )


def from_network(network: Network) -> Element:
    """Return a network as an element."""
    return Element({"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}, [network])


def from_address(network: Network) -> Element:
    """Return a network of one address as an element of a set without intervals."""
    return Element(str(network.network_address), [network])


def from_listing(spelling: t.Any) -> Element:
    """Return an element that nft lists: an address, a prefix, a range, or something that was not made here."""
    try:
        return Element(spelling, _networks(spelling))
    except (KeyError, TypeError, ValueError):
        return Element(spelling, [])


def _networks(spelling: t.Any) -> list[Network]:
    if isinstance(spelling, str):
        return [ipaddress.ip_network(spelling)]
    if "range" in spelling:
        first, last = (ipaddress.ip_address(address) for address in spelling["range"])
        return list(t.cast("t.Iterable[Network]", ipaddress.summarize_address_range(first, last)))
    return [ipaddress.ip_network(f"{spelling['prefix']['addr']}/{spelling['prefix']['len']}")]


def networks_of(elements: t.Iterable[Element]) -> list[Network]:
    """Return the networks of elements, joined."""
    return joined(network for element in elements for network in element.networks)


def difference(
    there: t.Sequence[Element], needed: t.Sequence[Element], *, intervals: bool = True
) -> tuple[list[Element], list[Element]]:
    """Return the elements to remove and those to add, so that a set covers what is needed and nothing else.

    An element that covers only what is needed stays, so that its addresses are in the set all the time: a pool next to
    another is added and not joined with it. intervals: whether elements of the set may be networks.
    """
    if not intervals:
        present = {tuple(element.networks) for element in there}
        wanted = {tuple(element.networks) for element in needed}
        gone = [element for element in there if tuple(element.networks) not in wanted]
        return gone, [element for element in needed if tuple(element.networks) not in present]
    cover = Cover(networks_of(needed))
    stays = [bool(element.networks) and all(network in cover for network in element.networks) for element in there]
    kept = Cover(networks_of(element for element, stay in zip(there, stays) if stay))
    missing = [part for network in cover.networks for part in _uncovered(network, kept)]
    gone = [element for element, stay in zip(there, stays) if not stay]
    return gone, [from_network(network) for network in missing]


def _uncovered(network: Network, cover: Cover) -> list[Network]:
    """Return the parts of a network that are not covered."""
    if network in cover:
        return []
    inside = Cover(other for other in cover.networks if contains(network, other))
    return [part for half in network.subnets() for part in _uncovered(half, inside)] if inside.networks else [network]
