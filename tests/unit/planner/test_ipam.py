# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks and addresses nodes get: Calico's order, stability, repair."""

from __future__ import annotations

import copy
import ipaddress
import random
import typing as t

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import nth_block
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam, ipam_records
from ansible_collections.podnet.calico.plugins.module_utils.planner.block_order import start_index
from ansible_collections.podnet.calico.tests.unit.planner.clusters import (
    NOW,
    Document,
    Snapshot,
    document,
    node,
    pool,
    snapshot,
)

SMALL = "10.244.0.0/24"  # four blocks of /26


def blocks(stored: Snapshot) -> dict[str, list[str]]:
    """Return the blocks of each owner; the owner of a block that nobody owns is None."""
    found: dict[str, list[str]] = {}
    for (kind, __), block in sorted(stored.items()):
        if kind == "IPAMBlock":
            found.setdefault(str(ipam_records.owner(block)), []).append(block["spec"]["cidr"])
    return found


def addresses(stored: Snapshot) -> dict[str, str]:
    """Return who holds each allocated address."""
    return {
        str(address): entry["handle_id"]
        for (kind, __), block in stored.items()
        if kind == "IPAMBlock"
        for address, entry in ipam_records.allocations(block)
    }


def nodes(*names: str, **labels: str) -> list[Document]:
    return [node(name, f"192.0.2.{index + 10}/24", dict(labels)) for index, name in enumerate(names)]


def claimed(*documents: Document, names: t.Sequence[str] = ("node1",)) -> Snapshot:
    return ipam.claim(snapshot(*documents), names, now=NOW)


@pytest.mark.parametrize("name", ["node1", "node-1", "worker-0.example.com"])
def test_first_block_is_where_calico_starts(name: str) -> None:
    first = nth_block(ipaddress.ip_network("10.244.0.0/16"), 26, start_index(name, 1024))
    assert blocks(claimed(pool(), *nodes(name), names=[name])) == {name: [str(first)]}


def test_a_taken_start_moves_on_to_the_next_block_and_wraps_around() -> None:
    wide = [f"n{index}" for index in range(4)]
    stored = claimed(pool(cidr=SMALL), *nodes(*wide), names=wide)
    owned = blocks(stored)
    assert sorted([cidr for cidrs in owned.values() for cidr in cidrs]) == [
        f"10.244.0.{first}/26" for first in (0, 128, 192, 64)
    ]
    taken: set[int] = set()
    for name in wide:
        first = start_index(name, 4)
        index = next(place % 4 for place in range(first, first + 4) if place % 4 not in taken)
        taken.add(index)
        assert owned[name] == [f"10.244.0.{64 * index}/26"]


def test_what_nodes_have_does_not_depend_on_the_others() -> None:
    names = [f"n{index}" for index in range(20)]
    stored = claimed(pool(), *nodes(*names), names=names)
    shuffled = random.Random(7).sample(names, len(names))  # noqa: S311
    assert claimed(pool(), *nodes(*names), names=shuffled) == stored
    kept = ipam.give_up(stored, ["n3"], now=NOW)
    again = ipam.claim(kept, [name for name in names if name != "n3"], now=NOW + 5)
    assert again == kept
    assert blocks(ipam.claim(kept, ["n3"], now=NOW)) == blocks(stored)


POOLS: dict[str, tuple[dict[str, t.Any], bool]] = {
    "selected by label": ({"nodeSelector": "rack == 'r1'"}, True),
    "other label": ({"nodeSelector": "rack == 'r2'"}, False),
    "disabled": ({"disabled": True}, False),
    "manual": ({"assignmentMode": "Manual"}, False),
    "for tunnels only": ({"allowedUses": ["Tunnel"], "encapsulation": "None"}, False),
    "for load balancers": ({"allowedUses": ["LoadBalancer"], "encapsulation": "None"}, False),
}


@pytest.mark.parametrize(("spec", "claims"), POOLS.values(), ids=POOLS)
def test_which_pools_give_blocks(spec: dict[str, t.Any], claims: bool) -> None:
    stored = claimed(pool(**spec), *nodes("node1", rack="r1"))
    assert bool(blocks(stored)) == claims
    assert bool(addresses(stored)) == claims


def test_one_block_of_every_pool_and_a_tunnel_address_of_the_pool_with_the_tunnel() -> None:
    stored = claimed(
        pool("a", "10.1.0.0/16", "None"), pool("b", "10.2.0.0/16", "IPIP"), pool("c", "10.3.0.0/16"), *nodes("node1")
    )
    assert [cidr.split(".")[1] for cidr in blocks(stored)["node1"]] == ["1", "2", "3"]
    spec = stored["Node", "node1"]["spec"]
    assert spec["bgp"]["ipv4IPIPTunnelAddr"].startswith("10.2.")
    assert spec["ipv4VXLANTunnelAddr"].startswith("10.3.")
    assert sorted(addresses(stored).values()) == [
        "ipip-tunnel-addr-node1",
        *["podnet-probe-node1"] * 3,
        "vxlan-tunnel-addr-node1",
    ]


def configured(**spec: t.Any) -> Document:
    return document("IPAMConfiguration", "default", **spec)


def tunnel_only(cidr: str) -> Document:
    return pool("tunnels", cidr, allowedUses=["Tunnel"])


def test_a_tunnel_address_is_borrowed_where_no_block_is_free() -> None:
    stored = claimed(tunnel_only("10.9.0.0/26"), *nodes("node1", "node2"), names=["node1", "node2"])
    assert blocks(stored) == {"node1": ["10.9.0.0/26"]}
    assert stored["Node", "node2"]["spec"]["ipv4VXLANTunnelAddr"] == "10.9.0.1"
    released = ipam.give_up(stored, ["node1"], now=NOW)
    assert blocks(released) == {"None": ["10.9.0.0/26"]}
    assert blocks(ipam.give_up(released, ["node2"], now=NOW)) == {}


def test_a_second_pool_is_tried_before_borrowing() -> None:
    stored = claimed(
        tunnel_only("10.9.0.0/26"),
        pool("tunnels2", "10.8.0.0/26", allowedUses=["Tunnel"]),
        *nodes("node1", "node2"),
        names=["node1", "node2"],
    )
    assert blocks(stored) == {"node1": ["10.9.0.0/26"], "node2": ["10.8.0.0/26"]}


REFUSALS: dict[str, tuple[list[Document], list[str], str]] = {
    "strict affinity": (
        [tunnel_only("10.9.0.0/26"), configured(strictAffinity=True)],
        ["node1", "node2"],
        "no address is free in pools tunnels (strictAffinity is true",
    ),
    "limit of blocks": (
        [pool("a", "10.1.0.0/16"), pool("b", "10.2.0.0/16"), configured(maxBlocksPerHost=1, strictAffinity=True)],
        ["node1"],
        'claim a block of pool "b" for node "node1": it has 1 blocks, the limit. Raise maxBlocksPerHost',
    ),
    "no blocks by itself": ([pool(), configured(autoAllocateBlocks=False)], ["node1"], "autoAllocateBlocks is false"),
    "no Node": ([pool()], ["node9"], 'there is no Node "node9" in the datastore'),
}


@pytest.mark.parametrize(("documents", "names", "text"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(documents: list[Document], names: list[str], text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        claimed(*documents, *nodes("node1", "node2"), names=names)
    assert text in str(caught.value)


def test_no_free_block(golden: t.Callable[[str, str], None]) -> None:
    with pytest.raises(InvalidInput) as caught:
        claimed(pool(cidr="10.244.0.0/25"), *nodes("node1", "node2", "node3"), names=["node1", "node2", "node3"])
    golden("errors/no-free-block.txt", str(caught.value))


def test_the_limit_counts_blocks_of_one_ip_version() -> None:
    stored = claimed(
        pool(), pool("six", "fd00::/64"), configured(maxBlocksPerHost=1, strictAffinity=True), *nodes("node1")
    )
    assert len(blocks(stored)["node1"]) == 2


def test_reserved_addresses_are_skipped() -> None:
    reserved = document("IPReservation", "r", reservedCIDRs=["10.244.0.0/30", "10.244.0.63/32"])
    stored = claimed(pool(cidr="10.244.0.0/26"), reserved, *nodes("node1"))
    assert sorted(addresses(stored)) == ["10.244.0.4", "10.244.0.62"]


def reservation(*cidrs: str) -> Document:
    return document("IPReservation", "r", reservedCIDRs=list(cidrs))


WHOLLY: dict[str, tuple[list[str], list[str]]] = {
    "in one": (["10.244.0.0/25"], ["10.244.0.128/26", "10.244.0.192/26"]),
    "in two": (["10.244.0.128/27", "10.244.0.160/27"], ["10.244.0.0/26", "10.244.0.64/26", "10.244.0.192/26"]),
    "with host bits, and by single addresses": (
        ["10.244.0.7/25", *(f"10.244.0.{last}" for last in range(128, 192))],
        ["10.244.0.192/26"],
    ),
    "but for one address": (
        ["10.244.0.1/32", "10.244.0.2/31", "10.244.0.4/30"],
        [f"10.244.0.{n}/26" for n in (0, 128, 192, 64)],
    ),
}


@pytest.mark.parametrize(("reserved", "left"), WHOLLY.values(), ids=WHOLLY)
def test_a_block_that_is_wholly_reserved_is_not_claimed(reserved: list[str], left: list[str]) -> None:
    names = [f"n{index}" for index in range(len(left))]
    stored = claimed(pool(cidr=SMALL), reservation(*reserved), *nodes(*names), names=names)
    assert {cidr for cidrs in blocks(stored).values() for cidr in cidrs} == set(left)
    with pytest.raises(InvalidInput) as refused:
        claimed(pool(cidr=SMALL), reservation(*reserved), *nodes(*names, "late"), names=[*names, "late"])
    kept_back = 4 - len(left)
    assert ("; IPReservations keep back " in str(refused.value)) == bool(kept_back)


def test_reservations_of_most_of_a_huge_pool_are_passed_over() -> None:
    start = nth_block(ipaddress.ip_network("fd00::/48"), 122, start_index("node1", 2**74))
    reserved = ["fd00::/49", str(start.supernet(new_prefix=64))]
    stored = claimed(pool("six", "fd00::/48"), reservation(*reserved), node("node1", "2001:db8::1/64"))
    (block,) = blocks(stored)["node1"]
    assert not any(ipaddress.ip_network(block).subnet_of(ipaddress.ip_network(each)) for each in reserved)
    everything = [pool("six", "fd00::/48"), reservation("fd00::/32"), node("node1", "2001:db8::1/64")]
    with pytest.raises(InvalidInput, match="no block is free; IPReservations keep back"):
        claimed(*everything)


def test_a_node_whose_block_has_become_reserved_gets_another_one_and_keeps_it() -> None:
    before = claimed(pool(cidr=SMALL), *nodes("node1"))
    (old,) = blocks(before)["node1"]
    after = ipam.claim(put(before, [reservation(old)]), ["node1"], now=NOW)
    assert len(blocks(after)["node1"]) == 2
    assert old in blocks(after)["node1"]
    assert ipam.claim(after, ["node1"], now=NOW + 1) == after


def test_the_limit_counts_blocks_in_the_requested_pools_alone() -> None:
    """A tunnel's address is requested of the pools with that tunnel."""
    pools = [pool("a", "10.1.0.0/16", "None"), tunnel_only("10.9.0.0/24")]
    stored = claimed(*pools, configured(maxBlocksPerHost=1, strictAffinity=True), *nodes("node1"))
    assert len(blocks(stored)["node1"]) == 2
    assert stored["Node", "node1"]["spec"]["ipv4VXLANTunnelAddr"].startswith("10.9.0.")


def test_own_blocks_are_tried_in_the_order_of_their_cidr_as_a_text() -> None:
    """10.10.0.0 comes before 10.9.0.0, whatever the pools are called."""
    pools = [pool("a", "10.9.0.0/26"), pool("b", "10.10.0.0/26")]
    stored = claimed(*pools, *nodes("node1"))
    assert stored["Node", "node1"]["spec"]["ipv4VXLANTunnelAddr"] == "10.10.0.0"


def _affinity(stored: Snapshot) -> tuple[str, str]:
    return next(key for key in stored if key[0] == "BlockAffinity")


def _drop(kind: str) -> t.Callable[[Snapshot], object]:
    return lambda stored: [stored.pop(key) for key in list(stored) if key[0] == kind]


def _pend(stored: Snapshot) -> None:
    stored[_affinity(stored)]["spec"]["state"] = "pending"


INTERRUPTIONS = {
    "affinity pending": _pend,
    "block missing": _drop("IPAMBlock"),
    "affinity missing": _drop("BlockAffinity"),
}


@pytest.mark.parametrize("interrupt", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_an_interrupted_claim_is_repaired(interrupt: t.Callable[[Snapshot], object]) -> None:
    bare = pool(encapsulation="None")
    stored = claimed(bare, *nodes("node1"))
    broken = copy.deepcopy(stored)
    interrupt(broken)
    assert broken != stored
    repaired = ipam.claim(broken, ["node1"], now=NOW)
    assert blocks(repaired) == blocks(stored)
    assert repaired[_affinity(repaired)] == stored[_affinity(stored)]


def test_an_affinity_to_a_block_of_another_node_is_dropped() -> None:
    stored = claimed(pool(), *nodes("node1", "node2"))
    cidr = ipaddress.ip_network(blocks(stored)["node1"][0])
    stale = ipam_records.new_affinity(cidr, "node2")
    broken = {**stored, ("BlockAffinity", stale["metadata"]["name"]): stale}
    repaired = ipam.claim(broken, ["node2"], now=NOW)
    assert ("BlockAffinity", stale["metadata"]["name"]) not in repaired
    assert str(cidr) not in blocks(repaired)["node2"]


def test_release_leaves_nothing_of_a_node() -> None:
    empty = snapshot(pool(), *nodes("node1", "node2"))
    both = ipam.claim(empty, ["node1", "node2"], now=NOW)
    assert ipam.give_up(both, ["node1", "node2"], now=NOW) == empty
    assert ipam.give_up(both, ["node2"], now=NOW) == ipam.claim(empty, ["node1"], now=NOW)


BROKEN: dict[str, tuple[str, t.Callable[[Document], object], str]] = {
    "no allocations": ("IPAMBlock", lambda block: block["spec"].pop("allocations"), "allocations has 0 entries"),
    "too few": ("IPAMBlock", lambda block: block["spec"]["allocations"].pop(), "has 63 entries, and the block 64"),
    "free twice": (
        "IPAMBlock",
        lambda block: block["spec"]["unallocated"].append(block["spec"]["unallocated"][0]),
        "spec.unallocated names an address twice",
    ),
    "free and allocated": (
        "IPAMBlock",
        lambda block: block["spec"]["unallocated"].append(0),
        "spec.unallocated names an address twice, one that is allocated",
    ),
    "beyond": ("IPAMBlock", lambda block: block["spec"]["unallocated"].append(64), "or one beyond the block"),
    "a block of another name": (
        "IPAMBlock",
        lambda block: block["metadata"].update(name="mine"),
        'IPAMBlock "mine": for its cidr the name is 10-244-',
    ),
    "an affinity of another name": (
        "BlockAffinity",
        lambda affinity: affinity["metadata"].update(name="mine"),
        'BlockAffinity "mine": for its node and block the name is node1-10-244-',
    ),
}


@pytest.mark.parametrize(("kind", "change", "text"), BROKEN.values(), ids=BROKEN)
def test_broken_records_are_named(kind: str, change: t.Callable[[Document], object], text: str) -> None:
    stored = copy.deepcopy(claimed(pool(), *nodes("node1")))
    key = next(key for key in stored if key[0] == kind)
    record = stored.pop(key)
    change(record)
    stored[kind, record["metadata"]["name"]] = record
    for act in (ipam.claim, ipam.give_up):
        with pytest.raises(InvalidInput) as refused:
            act(stored, ["node1"], now=NOW)
        assert text in str(refused.value)
        assert f'{kind} "{record["metadata"]["name"]}"' in str(refused.value)


def test_records_may_lack_what_calico_leaves_out() -> None:
    stored = copy.deepcopy(claimed(pool(), *nodes("node1")))
    for (kind, __), record in stored.items():
        if kind == "IPAMBlock":
            for key in ("sequenceNumber", "sequenceNumberForAllocation", "deleted", "strictAffinity"):
                del record["spec"][key]
    released = ipam.give_up(stored, ["node1"], now=NOW)
    assert blocks(released) == {}
    assert blocks(ipam.claim(stored, ["node1"], now=NOW)) == blocks(stored)


def test_a_pool_without_tunnel_takes_its_tunnel_address_back() -> None:
    stored = claimed(pool(), *nodes("node1"))
    changed = ipam.claim(put(stored, [pool(encapsulation="None")]), ["node1"], now=NOW)
    assert "ipv4VXLANTunnelAddr" not in changed["Node", "node1"]["spec"]
    assert list(addresses(changed).values()) == ["podnet-probe-node1"]


def test_claim_leaves_its_argument_alone() -> None:
    before = snapshot(pool(), *nodes("node1"))
    kept = copy.deepcopy(before)
    ipam.claim(before, ["node1"], now=NOW)
    assert before == kept


@st.composite
def clusters(draw: t.Callable[..., t.Any]) -> tuple[Snapshot, list[str]]:
    encapsulations = st.sampled_from(["None", "IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet"])
    pools = [
        pool(f"p{i}", f"10.{i}.0.0/22", draw(encapsulations), blockSize=draw(st.sampled_from([26, 28])))
        for i in range(draw(st.integers(1, 3)))
    ]
    names = draw(st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=12, unique=True))
    return snapshot(*pools, *nodes(*names)), names


@settings(max_examples=25)
@given(clusters())
def test_any_cluster_converges_and_shares_nothing(drawn: tuple[Snapshot, list[str]]) -> None:
    before, names = drawn
    stored = ipam.claim(before, names, now=NOW)
    assert ipam.claim(stored, names, now=NOW + 1) == stored
    assert ipam.differences(stored, stored) == []
    owned = blocks(stored)
    flat = [cidr for cidrs in owned.values() for cidr in cidrs]
    assert len(flat) == len(set(flat))
    assert {name: len(owned[name]) for name in names} == dict.fromkeys(
        names, sum(kind == "IPPool" for kind, __ in before)
    )
    count = sum(len(list(ipam_records.allocations(b))) for (kind, __), b in stored.items() if kind == "IPAMBlock")
    assert len(addresses(stored)) == count
    assert ipam.give_up(stored, names, now=NOW) == before
