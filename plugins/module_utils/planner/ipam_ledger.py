# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot on which nodes claim and release blocks and addresses, step by step, by Calico's rules."""

from __future__ import annotations

import copy
import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import (
    block_count,
    block_index,
    contains,
    nth_block,
    order,
    overlaps,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner.block_order import start_index
from ansible_collections.podnet.calico.plugins.module_utils.planner.pools import pool_selects, pools_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.reservations import (
    holder_of,
    reserved_networks,
    within,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

Document = t.Dict[str, t.Any]
PROBE_TYPE = "podnetProbe"

# The most blocks a node may have in its pools when the configuration does not say so (Calico's default).
DEFAULT_MAX_BLOCKS = 20


class TunnelUse(t.NamedTuple):
    """A tunnel that needs an address: who asks, where the Node keeps it, and which pools may give it."""

    handle: str
    type: str
    path: tuple[str, ...]
    version: int
    wanted: t.Callable[[IPPool], bool]


TUNNELS = (
    TunnelUse(
        "ipip-tunnel-addr-", "ipipTunnelAddress", ("bgp", "ipv4IPIPTunnelAddr"), 4, lambda p: p.ipip_mode != "Never"
    ),
    TunnelUse(
        "vxlan-tunnel-addr-", "vxlanTunnelAddress", ("ipv4VXLANTunnelAddr",), 4, lambda p: p.vxlan_mode != "Never"
    ),
    TunnelUse(
        "vxlan-v6-tunnel-addr-", "vxlanV6TunnelAddress", ("ipv6VXLANTunnelAddr",), 6, lambda p: p.vxlan_mode != "Never"
    ),
)


def probe_handle(node: str) -> str:
    """Return the handle that holds a node's probe addresses."""
    return f"podnet-probe-{node}"


class Ledger:
    """A snapshot on which nodes claim and release, one step after the other."""

    def __init__(self, snapshot: Snapshot, now: int) -> None:
        self.snapshot: Snapshot = dict(snapshot)
        self._now = now
        self._pools = pools_of(snapshot)
        records.refuse_broken(snapshot.values())
        self._blocks = {
            records.network(document): name for (kind, name), document in snapshot.items() if kind == "IPAMBlock"
        }
        self._owned: dict[str, set[Network]] = {}
        for cidr in self._blocks:
            self._owned.setdefault(records.owner(self._block(cidr)) or "", set()).add(cidr)
        self._affinities: dict[str, set[Network]] = {}
        for (kind, __), document in snapshot.items():
            if kind == "BlockAffinity":
                self._affinities.setdefault(document["spec"]["node"], set()).add(records.network(document))
        config = snapshot.get(("IPAMConfiguration", "default"), {}).get("spec", {})
        self._strict: bool = config.get("strictAffinity", False)
        self._allocate: bool = config.get("autoAllocateBlocks", True)
        self._limit: int = config.get("maxBlocksPerHost") or DEFAULT_MAX_BLOCKS
        self._reserved = reserved_networks(snapshot)

    # -- blocks ---------------------------------------------------------------------------------------------------

    def claim_blocks(self, node: str) -> None:
        """Give the node a block in every pool that selects it; repair what an interrupted claim left behind.

        As in Calico, a block that is wholly reserved is not claimed, and one that has become so does not count.
        """
        labels = self._labels(node)
        for cidr in self._affine(node):
            self._confirm(cidr, node)
        for cidr in sorted(self._owned.get(node, set()) - self._affinities.get(node, set()), key=order):
            self._put(records.new_affinity(cidr, node))
        requested = [pool for pool in self._pools if "Workload" in pool.allowed_uses and pool_selects(pool, labels)]
        for pool in requested:
            if all(holder_of(cidr, self._reserved) for cidr in self._own(node, pool)):
                self._claim_new(node, pool, requested)

    def _node(self, node: str) -> Document:
        document = self.snapshot.get(("Node", node))
        if document is None:
            raise InvalidInput(
                f'claim blocks for node "{node}": there is no Node "{node}" in the datastore',
                remedy="Create it first, with calico_node or calico_resources",
            )
        return document

    def _labels(self, node: str) -> t.Mapping[str, str]:
        return self._node(node)["metadata"].get("labels") or {}

    def _affine(self, node: str) -> list[Network]:
        return sorted(self._affinities.get(node, ()), key=order)

    def _confirm(self, cidr: Network, node: str) -> None:
        if cidr not in self._blocks:
            self._put(records.new_block(cidr, node, self._now))
        if records.owner(self._block(cidr)) != node:
            self._drop_affinity(cidr, node)
            return
        key = ("BlockAffinity", records.affinity_name(cidr, node))
        if self.snapshot[key]["spec"].get("state") not in ("confirmed", "", None):
            self.snapshot[key] = copy.deepcopy(self.snapshot[key])
            self.snapshot[key]["spec"]["state"] = "confirmed"

    def _own(self, node: str, pool: IPPool) -> list[Network]:
        return sorted((cidr for cidr in self._owned.get(node, ()) if contains(pool.cidr, cidr)), key=order)

    def _in_use(self, pool: IPPool) -> bool:
        return any(contains(pool.cidr, cidr) for cidr in self._blocks)

    def _claim_new(self, node: str, pool: IPPool, requested: t.Sequence[IPPool]) -> None:
        if not self._allocate:
            raise InvalidInput(
                f'claim a block of pool "{pool.name}" for node "{node}": autoAllocateBlocks is false',
                remedy="Set it to true in the IPAMConfiguration, or give the node its blocks by hand",
            )
        if self._claim_free(node, pool, requested) is None:
            total = block_count(pool.cidr, pool.block_size)
            taken = [cidr for cidr in self._blocks if contains(pool.cidr, cidr)]
            holders = sorted({records.owner(self._block(cidr)) or "nobody" for cidr in taken})
            whose = [f"they belong to {', '.join(holders)}"] if holders else []
            whole = sum(
                block_count(part, pool.block_size)
                for part in within(pool.cidr, self._reserved)
                if part.prefixlen <= pool.block_size
            )
            whose += [f"IPReservations keep back {whole}"] if whole else []
            raise InvalidInput(
                f'claim a block for node "{node}" of pool "{pool.name}" ({pool.cidr}, {total} blocks of '
                f"/{pool.block_size}): no block is free; {'; '.join(whose)}",
                remedy="Add a pool, or release the blocks of nodes that are gone (calico_ipam with state absent)",
            )

    def _claim_free(self, node: str, pool: IPPool, requested: t.Iterable[IPPool]) -> Network | None:
        """Claim the first block of a pool in Calico's order that is free and not wholly reserved; None for none.

        Raises InvalidInput where the node has all the blocks that it may have in the requested pools of the IP version.
        """
        same_version = [other for other in requested if other.cidr.version == pool.cidr.version]
        if sum(1 for other in same_version for __ in self._own(node, other)) >= self._limit:
            raise InvalidInput(
                f'claim a block of pool "{pool.name}" for node "{node}": it has {self._limit} blocks, the limit',
                remedy="Raise maxBlocksPerHost in the IPAMConfiguration",
            )
        total = block_count(pool.cidr, pool.block_size)
        first = start_index(node, total)
        step = 0
        while step < total:
            place = (first + step) % total
            cidr = nth_block(pool.cidr, pool.block_size, place)
            reserved = holder_of(cidr, self._reserved)
            if reserved is not None:
                step += _blocks_left(pool, place, reserved)
                continue
            if cidr not in self._blocks:
                self._put(records.new_block(cidr, node, self._now))
                self._put(records.new_affinity(cidr, node))
                return cidr
            step += 1
        return None

    # -- addresses ------------------------------------------------------------------------------------------------

    def assign_tunnel(self, node: str, use: TunnelUse, *, keep: bool = False) -> None:
        """Keep, assign or release one tunnel address of a node, and note it on the Node as Calico does.

        Unlike in Calico, a disabled pool with blocks gives it where no other can: its pods still need the tunnel.
        With keep, an address stays although no pool wants it any more.
        """
        labels = self._labels(node)
        able = [
            pool
            for pool in self._pools
            if pool.cidr.version == use.version and use.wanted(pool) and "Tunnel" in pool.allowed_uses
        ]
        pools = [pool for pool in able if pool_selects(pool, labels)]
        pools = pools or [pool for pool in able if pool_selects(pool, labels, disabled=True) and self._in_use(pool)]
        handle = f"{use.handle}{node}"
        held = self._held(handle)
        kept = [address for address in held if keep or any(address in pool.cidr for pool in pools)]
        if held and not kept:
            self._release({handle})
        if pools and not kept:
            kept = [self._assign(node, pools, handle, {"node": node, "type": use.type})]
        self._note(node, use.path, str(kept[0]) if kept else None)

    def assign_probes(self, node: str) -> None:
        """Hold the last free address of each block of the node for its probe pod; one per pool."""
        handle = probe_handle(node)
        held = self._held(handle)
        for pool in self._pools:
            own = self._own(node, pool)
            if not own or any(address in cidr for cidr in own for address in held):
                continue
            for cidr in own:
                free = self._free(cidr)
                if free:
                    self._take(cidr, max(free), handle, {"node": node, "type": PROBE_TYPE})
                    break

    def _held(self, handle: str) -> list[t.Any]:
        document = self.snapshot.get(("IPAMHandle", handle.lower()))
        if document is None:
            return []
        cidrs = [ipaddress.ip_network(cidr) for cidr in document["spec"]["block"]]
        return [
            address
            for cidr in cidrs
            if cidr in self._blocks
            for address, entry in records.allocations(self._block(cidr))
            if entry.get("handle_id") == handle
        ]

    def _assign(self, node: str, pools: t.Sequence[IPPool], handle: str, attributes: t.Mapping[str, str]) -> t.Any:
        """Take an address from an own block, else from a new block, else from another node's (borrow).

        As in Calico, the limit of blocks ends the search at once, and with strictAffinity nothing is borrowed. Unlike
        in Calico, it is the lowest free address, not the one that is free for longest: the first two of a block are
        never a pod's, since host-local takes them for the network and the gateway.
        """
        for cidr in self._candidates(node, pools):
            free = self._free(cidr)
            if free:
                return self._take(cidr, min(free), handle, attributes)
        raise InvalidInput(
            f'assign {attributes["type"]} to node "{node}": no address is free in pools '
            + ", ".join(pool.name for pool in pools)
            + (" (strictAffinity is true: blocks of other nodes do not count)" if self._strict else ""),
            remedy="Add a pool that allows the use Tunnel",
        )

    def _candidates(self, node: str, pools: t.Sequence[IPPool]) -> t.Iterator[Network]:
        """Yield the blocks in which a node looks for an address; a new block is claimed when its turn comes.

        Own blocks come in the order of their CIDR as a text, as Calico lists them from its datastore.
        """
        yield from sorted((cidr for pool in pools for cidr in self._own(node, pool)), key=str)
        if self._allocate:
            yield from filter(None, (self._claim_free(node, pool, pools) for pool in pools))
        if self._strict:
            return
        for pool in pools:
            total = block_count(pool.cidr, pool.block_size)
            first = start_index(node, total)
            places = {block_index(pool.cidr, cidr): cidr for cidr in self._blocks if contains(pool.cidr, cidr)}
            yield from (places[place] for place in sorted(places, key=lambda place: (place - first) % total))

    def _free(self, cidr: Network) -> list[int]:
        """Return the free ordinals of a block in the order of its free list, without those that are reserved."""
        ordinals: list[int] = self._block(cidr)["spec"].get("unallocated") or []
        reserved = [network for network in self._reserved if overlaps(network, cidr)]
        if not reserved:
            return ordinals
        return [o for o in ordinals if not any(cidr.network_address + o in network for network in reserved)]

    def _take(self, cidr: Network, ordinal: int, handle: str, attributes: t.Mapping[str, str]) -> t.Any:
        self._put(records.allocate(self._block(cidr), ordinal, handle, attributes))
        known = self.snapshot.get(("IPAMHandle", handle.lower()))
        counts = dict(known["spec"]["block"]) if known else {}
        self._put(records.handle_document(handle, {**counts, str(cidr): counts.get(str(cidr), 0) + 1}))
        return cidr.network_address + ordinal

    def _release(self, handles: set[str]) -> None:
        for cidr in list(self._blocks):
            block = self._block(cidr)
            freed = records.release(block, handles)
            if freed != block:
                self._put(freed)
                if records.owner(freed) is None and _is_empty(freed):
                    self._drop_block(cidr)
        for handle in handles:
            self.snapshot.pop(("IPAMHandle", handle.lower()), None)

    def release_node(self, node: str) -> None:
        """Free every address and block of a node; blocks that others borrowed from lose their owner only."""
        handles = {
            entry["handle_id"]
            for name in self._blocks.values()
            for __, entry in records.allocations(self.snapshot["IPAMBlock", name])
            if entry["secondary"].get("node") == node and entry.get("handle_id")
        }
        self._release(handles)
        for cidr in self._affine(node):
            self._drop_affinity(cidr, node)
        for cidr in sorted(self._owned.pop(node, ()), key=order):
            block = copy.deepcopy(self._block(cidr))
            if _is_empty(block):
                self._drop_block(cidr)
            else:
                block["spec"]["affinity"] = None
                records.raise_sequence(block["spec"])
                self._put(block)
        if ("Node", node) in self.snapshot:
            for use in TUNNELS:
                self._note(node, use.path, None)

    # -- documents ------------------------------------------------------------------------------------------------

    def _block(self, cidr: Network) -> Document:
        return self.snapshot["IPAMBlock", self._blocks[cidr]]

    def _put(self, document: Document) -> None:
        key = (document["kind"], document["metadata"]["name"])
        known = self.snapshot.get(key)
        if known is not None:
            document = {**document, "metadata": {**known["metadata"], **document["metadata"]}}
        self.snapshot[key] = document
        cidr = records.network(document) if document["kind"] in ("IPAMBlock", "BlockAffinity") else None
        if cidr is not None and document["kind"] == "IPAMBlock":
            self._blocks[cidr] = key[1]
            self._owned.setdefault(records.owner(document) or "", set()).add(cidr)
        elif cidr is not None:
            self._affinities.setdefault(document["spec"]["node"], set()).add(cidr)

    def _drop_block(self, cidr: Network) -> None:
        del self.snapshot["IPAMBlock", self._blocks.pop(cidr)]
        self._owned.get("", set()).discard(cidr)

    def _drop_affinity(self, cidr: Network, node: str) -> None:
        del self.snapshot["BlockAffinity", records.affinity_name(cidr, node)]
        self._affinities[node].discard(cidr)

    def _note(self, node: str, path: tuple[str, ...], value: str | None) -> None:
        self.snapshot["Node", node] = noted(self.snapshot["Node", node], path, value)


def _blocks_left(pool: IPPool, place: int, reserved: Network) -> int:
    """Return how many blocks of a pool, from the one at a place on, lie in a network that holds that one."""
    if contains(reserved, pool.cidr):
        return block_count(pool.cidr, pool.block_size)
    end = block_index(pool.cidr, nth_block(reserved, pool.block_size, block_count(reserved, pool.block_size) - 1))
    return end + 1 - place


def _is_empty(block: Document) -> bool:
    return all(index is None for index in block["spec"]["allocations"])


def note_of(data: t.Mapping[str, t.Any], path: t.Sequence[str]) -> t.Any:
    """Return what a Node's spec has at a path of keys, None if there is nothing."""
    for key in path:
        data = (data or {}).get(key)  # type: ignore[assignment]
    return data


def noted(node: Document, path: t.Sequence[str], value: str | None) -> Document:
    """Return a Node that has a value, or nothing for None, at a path of keys in its spec; the same one if it has."""
    if note_of(node["spec"], path) == value:
        return node
    result = copy.deepcopy(node)
    place = result["spec"]
    for key in path[:-1]:
        place = place.setdefault(key, {})
    if value is None:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = value
    return result
