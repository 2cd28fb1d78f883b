# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of the IPAM plugin host-local: the parts of a block whose addresses pods may get.

Of a subnet the plugin gives neither the first address nor the second, which is the gateway, nor an IPv4 broadcast
address (plugins/ipam/host-local/backend/allocator of containernetworking/plugins, 1.1.1 to 1.10.0).
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import overlaps

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network

_SMALLEST = 2  # bits of the host part; the plugin refuses smaller subnets


def ranges(block: Network, excluded: t.Iterable[Network]) -> list[dict[str, str]]:
    """Return the ranges of a block without some networks; the block as a whole where it gives none of these anyway."""
    if block.max_prefixlen - block.prefixlen < _SMALLEST:
        return [{"subnet": str(block)}]
    first, last = block[2], block[-2 if block.version == 4 else -1]
    return [
        {
            "subnet": str(block),
            **({} if low == first else {"rangeStart": str(low)}),
            **({} if high == last else {"rangeEnd": str(high)}),
        }
        for low, high in _parts(first, last, [each for each in excluded if overlaps(each, block)])
    ]


def _parts(first: Address, last: Address, excluded: t.Iterable[Network]) -> t.Iterator[tuple[Address, Address]]:
    """Yield first and last address of what is left between two addresses."""
    low, end = int(first), int(last)
    for hole in sorted(excluded, key=lambda each: int(each.network_address)):
        if int(hole.network_address) > low:
            yield _of(first, low), _of(first, min(end, int(hole.network_address) - 1))
        low = max(low, int(hole.broadcast_address) + 1)
        if low > end:
            return
    yield _of(first, low), last


def _of(like: Address, number: int) -> Address:
    """Return the address of a number, of the IP version of another one."""
    return ipaddress.IPv4Address(number) if like.version == 4 else ipaddress.IPv6Address(number)
