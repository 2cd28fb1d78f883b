# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that no document has alone: ranges that overlap, addresses given twice, names that lead nowhere."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import overlapping

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

Documents = t.Mapping[t.Tuple[str, str], t.Mapping[str, t.Any]]
Problems = t.Iterator[InvalidInput]

TUNNEL_FIELDS = ("ipv4VXLANTunnelAddr", "ipv6VXLANTunnelAddr")
BGP_FIELDS = ("ipv4Address", "ipv6Address", "ipv4IPIPTunnelAddr")


def check(before: Documents, after: Documents) -> None:
    """Raise InvalidInput for all problems between documents that a change from before to after would bring.

    Both are canonical documents by kind and name. A problem that was there before, between documents that stay as
    they are, is not held against the change; with an empty before, all of them are reported.
    """
    changed = {key for key, document in after.items() if _spec(before.get(key)) != _spec(document)}
    problems = [
        *_immutable(before, after, changed),
        *_overlapping(after, changed),
        *_other_block_sizes(after, changed - before.keys()),
        *_shared_addresses(after, changed),
        *_missing_filters(before, after, changed),
    ]
    raise_all(problems)


def _spec(document: t.Mapping[str, t.Any] | None) -> t.Any:
    return None if document is None else document.get("spec")


def _specs(documents: Documents, kind: str) -> dict[str, t.Any]:
    return {name: document["spec"] for (found, name), document in sorted(documents.items()) if found == kind}


def _immutable(before: Documents, after: Documents, changed: set[tuple[str, str]]) -> Problems:
    """Yield pools whose range, block size or use would change under the addresses drawn from them."""
    for kind, name in sorted(changed & before.keys()):
        if kind != "IPPool":
            continue
        old, new = before[kind, name]["spec"], after[kind, name]["spec"]
        for key in ("cidr", "blockSize"):
            if old[key] != new[key]:
                message = f'IPPool "{name}": spec.{key} cannot change from {old[key]} to {new[key]}'
                remedy = "Make a second pool, set disabled on this one, and delete it when no address of it is in use"
                yield InvalidInput(message, remedy=remedy, path=f"spec.{key}")
        if "LoadBalancer" in old["allowedUses"] and "LoadBalancer" not in new["allowedUses"]:
            message = f'IPPool "{name}": spec.allowedUses cannot change from LoadBalancer to {new["allowedUses"]}'
            yield InvalidInput(message, remedy="Make a second pool for the other uses", path="spec.allowedUses")


def _overlapping(after: Documents, changed: set[tuple[str, str]]) -> Problems:
    """Yield each pair of pools that overlap, as a problem of the first one by name that changes."""
    pools = {name: ipaddress.ip_network(spec["cidr"]) for name, spec in _specs(after, "IPPool").items()}
    by_change = [sorted(pair, key=lambda name: (("IPPool", name) not in changed, name)) for pair in overlapping(pools)]
    for one, other in sorted(pair for pair in by_change if ("IPPool", pair[0]) in changed):
        message = f'IPPool "{one}": spec.cidr "{pools[one]}" overlaps "{pools[other]}" of IPPool "{other}"'
        remedy = "Choose a range that no other pool covers; ranges of disabled pools count too"
        yield InvalidInput(message, remedy=remedy, path="spec.cidr", rule="pool-overlap")


def _other_block_sizes(after: Documents, new: set[tuple[str, str]]) -> Problems:
    """Yield new pools in whose range blocks of another size are left, with the first such block."""
    pools = {name: spec for name, spec in _specs(after, "IPPool").items() if ("IPPool", name) in new}
    if not pools:
        return
    networks = {("IPPool", name): ipaddress.ip_network(spec["cidr"]) for name, spec in pools.items()}
    blocks = (ipaddress.ip_network(spec["cidr"]) for spec in _specs(after, "IPAMBlock").values() if "cidr" in spec)
    networks.update((("IPAMBlock", str(block)), block) for block in blocks)
    left: dict[str, Network] = {}
    for pair in overlapping(networks):
        (pool, name), (other, block) = sorted(pair, reverse=True)
        if (pool, other) == ("IPPool", "IPAMBlock") and networks[other, block].prefixlen != pools[name]["blockSize"]:
            left.setdefault(name, networks[other, block])
    for name, found in sorted(left.items()):
        message = f'IPPool "{name}": spec.blockSize {pools[name]["blockSize"]} differs from the existing block {found}'
        remedy = f"Use blockSize {found.prefixlen}, or release the block first"
        yield InvalidInput(f"{message} in its range", remedy=remedy, path="spec.blockSize")


def _addresses(spec: t.Mapping[str, t.Any]) -> list[str]:
    """Return the addresses, without prefix length, of the node's interfaces and tunnels."""
    bgp = spec.get("bgp", {})
    values = [*(bgp.get(key) for key in BGP_FIELDS), *(spec.get(key) for key in TUNNEL_FIELDS)]
    return [value.partition("/")[0] for value in values if value is not None]


def _shared_addresses(after: Documents, changed: set[tuple[str, str]]) -> Problems:
    owners: dict[str, str] = {}
    for name, spec in _specs(after, "Node").items():
        for address in _addresses(spec):
            owner = owners.setdefault(address, name)
            if owner != name and {("Node", owner), ("Node", name)} & changed:
                one, other = (name, owner) if ("Node", name) in changed else (owner, name)
                message = f'Node "{one}": "{address}" is an address of Node "{other}" too'
                remedy = "Give every node addresses of its own"
                yield InvalidInput(message, remedy=remedy, rule="address-shared", nodes=[one, other])


def _missing_filters(before: Documents, after: Documents, changed: set[tuple[str, str]]) -> Problems:
    for name, spec in _specs(after, "BGPPeer").items():
        for wanted in spec.get("filters", []):
            key = ("BGPFilter", wanted)
            if key not in after and (("BGPPeer", name) in changed or key in before):
                message = f'BGPPeer "{name}": spec.filters names BGPFilter "{wanted}", which does not exist'
                remedy = "Create the filter first, or take its name out of the peer"
                yield InvalidInput(message, remedy=remedy, path="spec.filters")
