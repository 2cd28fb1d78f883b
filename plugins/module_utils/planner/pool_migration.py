# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pool goes: what goes with it, why it may not go yet, and the datastore without its blocks. Pure functions."""

from __future__ import annotations

import copy
import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import contains
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam_records as records
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam_ledger import PROBE_TYPE, TUNNELS, note_of

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

Document = t.Dict[str, t.Any]

_OWN_TYPES = (PROBE_TYPE, *(use.type for use in TUNNELS))


def orphan_problems(snapshot: Snapshot) -> t.Iterator[InvalidInput]:
    """Yield blocks that nodes own although no pool holds them any more: routes to their pods would go unasked."""
    pools = [_cidr(document) for (kind, __), document in snapshot.items() if kind == "IPPool"]
    for (kind, __), document in sorted(snapshot.items()):
        owner = records.owner(document) if kind == "IPAMBlock" else None
        if owner and not any(contains(pool, _cidr(document)) for pool in pools):
            yield InvalidInput(
                f'block {document["spec"]["cidr"]} of node "{owner}" is in no IPPool: pods in it would be cut off',
                remedy="Store its pool again with disabled: true and run podnet.calico.migrate_pool, or release the "
                "blocks with calico_ipam (cidrs, state absent)",
                rule="block-without-pool",
                nodes=[owner],
            )


def leaving(documents: t.Sequence[Document], wanted: t.Sequence[Document], name: str) -> dict[str, t.Any]:
    """Return what goes with a pool: pool (its range), cidrs (range and blocks), blocks (block to node), documents.

    documents: everything that is stored; wanted: what the inventory asks for. Raises InvalidInput as long as new pods
    may get addresses of the pool, as no other pool could give them, or as somebody else holds addresses of it.
    """
    stored = {each["metadata"]["name"]: each for each in documents if each["kind"] == "IPPool"}
    pool = stored.get(name)
    if pool is None:
        raise InvalidInput(
            f'migrate pool "{name}": there is no such IPPool in the datastore',
            remedy=f"There are {', '.join(sorted(stored)) or 'none'}. If it was deleted just now, deploy does the rest",
        )
    raise_all([*_enabled(pool, wanted, name), *_without_successor(pool, stored.values()), *_held(documents, pool)])
    blocks = [each for each in documents if each["kind"] == "IPAMBlock" and contains(_cidr(pool), _cidr(each))]
    owners = {each["spec"]["cidr"]: records.owner(each) or "" for each in blocks}
    return {
        "pool": pool["spec"]["cidr"],
        "cidrs": [pool["spec"]["cidr"], *sorted(set(owners) - {pool["spec"]["cidr"]})],
        "blocks": owners,
        "documents": [{key: pool[key] for key in ("apiVersion", "kind", "metadata")}],
    }


def _cidr(document: Document) -> Network:
    return ipaddress.ip_network(document["spec"]["cidr"])


def _enabled(pool: Document, wanted: t.Iterable[Document], name: str) -> t.Iterator[InvalidInput]:
    asked = [each for each in wanted if each["kind"] == "IPPool" and each["metadata"]["name"] == name]
    if any(not each["spec"].get("disabled") for each in asked):
        yield InvalidInput(
            f'migrate pool "{name}": the inventory has it, enabled',
            remedy="Set disabled: true on it, and run podnet.calico.deploy",
        )
    elif not pool["spec"].get("disabled"):
        yield InvalidInput(
            f'migrate pool "{name}": it is enabled in the datastore, so new pods get addresses of it',
            remedy="Set disabled: true on it in the inventory, and run podnet.calico.deploy",
        )


def _without_successor(pool: Document, stored: t.Iterable[Document]) -> t.Iterator[InvalidInput]:
    version = _cidr(pool).version
    others = [each for each in stored if each is not pool and _cidr(each).version == version]
    if not any(_gives(each["spec"]) for each in others):
        yield InvalidInput(
            f'migrate pool "{pool["metadata"]["name"]}": no other IPv{version} pool is enabled for pods',
            remedy="Add one to the inventory, and run podnet.calico.deploy",
        )


def _gives(spec: t.Mapping[str, t.Any]) -> bool:
    return not spec.get("disabled") and "Workload" in (spec.get("allowedUses") or ["Workload"])


def _held(documents: t.Iterable[Document], pool: Document) -> t.Iterator[InvalidInput]:
    """Yield addresses that the datastore notes for somebody else than tunnels and probe pods: Calico's own pods."""
    for each in documents:
        if each["kind"] != "IPAMBlock" or not contains(_cidr(pool), _cidr(each)):
            continue
        for address, entry in records.allocations(each):
            holder = entry.get("secondary") or {}
            if holder.get("type") not in _OWN_TYPES:
                whose = holder.get("pod") or entry.get("handle_id") or "somebody"
                yield InvalidInput(
                    f'migrate pool "{pool["metadata"]["name"]}": {address} is allocated to {whose} on node '
                    f'"{holder.get("node", "?")}"',
                    remedy="Have its holder release it first",
                )


def released(snapshot: Snapshot, cidrs: t.Collection[Network]) -> Snapshot:
    """Return the snapshot without the blocks in some ranges, with their affinities and the addresses held in them."""
    result = {key: document for key, document in snapshot.items() if not _is_record_within(document, cidrs)}
    for key, document in list(result.items()):
        if document["kind"] == "IPAMHandle":
            kept = {cidr: n for cidr, n in document["spec"]["block"].items() if not _within(cidr, cidrs)}
            if not kept:
                del result[key]
            elif kept != document["spec"]["block"]:
                result[key] = {**document, "spec": {**document["spec"], "block": kept}}
        elif document["kind"] == "Node":
            result[key] = _without_tunnels(document, cidrs)
    return result


def left_in(documents: t.Iterable[Document], cidr: str) -> list[str]:
    """Return kind and name of documents that still have a part of a range: pools, blocks, addresses of tunnels."""
    stored = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    rest = released(stored, [ipaddress.ip_network(cidr)])
    return [
        f"{kind} {name}"
        for (kind, name), each in sorted(stored.items())
        if rest.get((kind, name)) is not each or (kind == "IPPool" and each["spec"]["cidr"] == cidr)
    ]


def _is_record_within(document: Document, cidrs: t.Collection[Network]) -> bool:
    return document["kind"] in ("IPAMBlock", "BlockAffinity") and _within(document["spec"]["cidr"], cidrs)


def _within(text: str, cidrs: t.Iterable[Network]) -> bool:
    network = ipaddress.ip_network(text)
    return any(contains(cidr, network) for cidr in cidrs)


def _without_tunnels(node: Document, cidrs: t.Collection[Network]) -> Document:
    """Return a Node without the tunnel addresses that are in the ranges; the same one if it has none."""
    for use in TUNNELS:
        address = note_of(node["spec"], use.path)
        if address and _within(address, cidrs):
            node = copy.deepcopy(node)
            place = node["spec"]
            for key in use.path[:-1]:
                place = place[key]
            del place[use.path[-1]]
    return node
