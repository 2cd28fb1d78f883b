# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe of all pairs says, for surroundings as users have them."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_packets import KINDS
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_verdict import judge
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_wire import Row, Wire

NODES = {"a1": "192.0.2.11/24", "a2": "192.0.2.12/24", "b1": "198.51.100.11/24", "b2": "198.51.100.12/24"}
Passing = t.Callable[[str, str, str], bool]


def wire(
    passes: Passing = lambda source, target, kind: True,
    *,
    let_in: Passing = lambda source, target, kind: True,
    damaged: Passing = lambda source, target, kind: False,
    mtu: t.Callable[[str, str], int] = lambda source, target: 1500,
    tcp: str = "open",
    payload: t.Callable[[str, str], Row] | None = None,
    udp: str = "open",
    listening: dict[str, Row] | None = None,
    nodes: dict[str, str] | None = None,
) -> Wire:
    """Return what a probe finds where packets pass as functions of source, target and kind say."""
    nodes = nodes or NODES
    asked: dict[str, list[Row]] = {name: [] for name in nodes}
    arrived: dict[str, list[Row]] = {name: [] for name in nodes}
    for source, target in itertools.permutations(nodes, 2):
        kinds = {}
        for kind in KINDS:
            if passes(source, target, kind):
                row = {"node": nodes[source].partition("/")[0], "kind": kind, "wire": 2, "damaged": 0, "let_in": 0}
                row |= {"damaged": int(damaged(source, target, kind)), "let_in": 2 * let_in(source, target, kind)}
                arrived[target].append(row)
            answered = passes(source, target, kind) and passes(target, source, kind)
            size = mtu(source, target) if answered and kind != "pod" else None
            kinds[kind] = {"answered": answered, "rtt_ms": 0.1, "largest": size, "at_least": False}
        row = {"target": target, "mtu": 1500, "packets": 14, "kinds": kinds, "tcp": {"179": tcp}, "udp": {"51820": udp}}
        if payload:
            row["payload"] = {"sizes": [33, 1422], "tcp": "whole", "repeated": False, **payload(source, target)}
            for kind in ("data", "data-by-kernel"):
                count = row["payload"].pop(kind, 2)
                node = nodes[source].partition("/")[0]
                spoilt = row["payload"].get("damaged", 0)
                arrived[target].append({"node": node, "kind": kind, "wire": count, "let_in": count, "damaged": spoilt})
        asked[source].append(row)
    return Wire(nodes, asked, arrived, listening)


def works(verdict: dict[str, t.Any]) -> set[str]:
    """Return the modes that get through for certain."""
    return {mode for mode, known in verdict["modes"].items() if known["works"] and not known["doubt"]}


def same(source: str, target: str) -> bool:
    """Tell whether two nodes are in one subnet."""
    return source[0] == target[0]


def test_clean_surroundings_have_no_findings() -> None:
    verdict = judge(wire(), ["VXLANCrossSubnet"])
    assert verdict["findings"] == []
    assert verdict["ok"]
    assert works(verdict) == {"IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet"}
    assert verdict["recommended"] == {"encapsulation": "VXLANCrossSubnet", "mtu": 1450}
    assert {mode: known["mtu"] for mode, known in verdict["modes"].items()} == {
        "VXLANCrossSubnet": 1450,
        "VXLAN": 1450,
        "IPIPCrossSubnet": 1480,
        "IPIP": 1480,
        "None": 1500,
    }


def test_one_subnet_needs_no_encapsulation() -> None:
    nodes = {name: address for name, address in NODES.items() if name.startswith("a")}
    assert "None" in works(judge(wire(nodes=nodes)))


def test_azure_drops_protocol_4() -> None:
    verdict = judge(wire(lambda source, target, kind: kind != "ipip"), ["IPIP"])
    assert [finding["what"] for finding in verdict["findings"]] == ["IP protocol 4 is lost between all nodes"]
    assert "Azure" in verdict["findings"][0]["remedy"]
    assert works(verdict) == {"VXLAN", "VXLANCrossSubnet"}
    assert not verdict["ok"]
    assert verdict["failure"].startswith(
        "IPIP does not get through: IP protocol 4: between all nodes. Recommended: VXLANC"
    )


def test_two_racks_drop_protocol_4_between_them() -> None:
    verdict = judge(wire(lambda source, target, kind: kind != "ipip" or same(source, target)), ["IPIPCrossSubnet"])
    (finding,) = verdict["findings"]
    assert finding["what"] == "IP protocol 4 is lost between the subnets 192.0.2.0/24 and 198.51.100.0/24"
    assert len(finding["pairs"]) == 8


def test_aws_drops_sources_of_pods_within_a_subnet() -> None:
    verdict = judge(wire(lambda source, target, kind: kind != "pod"), ["VXLANCrossSubnet"])
    assert "source is a pod's address is lost between all nodes" in verdict["findings"][0]["what"]
    assert "AWS" in verdict["findings"][0]["remedy"]
    assert works(verdict) == {"IPIP", "VXLAN"}
    assert verdict["recommended"]["encapsulation"] == "VXLAN"


def test_a_filtered_probe_port_says_nothing_of_sources() -> None:
    verdict = judge(wire(lambda source, target, kind: kind not in ("plain", "pod")), ["VXLAN"])
    assert [finding["kind"] for finding in verdict["findings"]] == ["plain"]
    assert verdict["ok"]


def test_vmware_eats_vxlan() -> None:
    verdict = judge(wire(lambda source, target, kind: kind != "vxlan"), ["VXLAN"])
    assert "NSX" in verdict["findings"][0]["remedy"]
    assert verdict["recommended"] == {"encapsulation": "IPIPCrossSubnet", "mtu": 1480}


def test_a_path_is_narrower_than_the_interfaces_say() -> None:
    verdict = judge(wire(mtu=lambda source, target: 1500 if same(source, target) else 1400), ["VXLAN"])
    (finding,) = verdict["findings"]
    assert "passes up to 1400 bytes only between the subnets" in finding["what"]
    assert finding["what"].endswith("the interfaces say 1500")
    assert verdict["modes"]["VXLAN"]["mtu"] == 1350
    assert not verdict["ok"]


@pytest.mark.parametrize(("mtu", "ok"), [(1350, True), (1351, False), (0, False)])
def test_a_small_mtu_of_pods_fits_a_narrow_path(mtu: int, ok: bool) -> None:
    assert judge(wire(mtu=lambda source, target: 1400), ["VXLAN"], mtu)["ok"] is ok


def test_the_own_firewall_is_told_from_the_network() -> None:
    verdict = judge(wire(let_in=lambda source, target, kind: not (target == "b1" and kind == "vxlan")), ["VXLAN"])
    (finding,) = verdict["findings"]
    assert finding["what"] == "VXLAN (UDP 4789) arrives at b1, but its own firewall or rp_filter drops it"
    assert not verdict["ok"]


def test_damage_is_not_loss() -> None:
    verdict = judge(wire(damaged=lambda source, target, kind: kind == "vxlan" and source == "a1"), ["VXLAN"])
    (finding,) = verdict["findings"]
    assert finding["what"] == "VXLAN (UDP 4789) arrives with other bytes than were sent from a1"
    assert "offload" in finding["remedy"]
    assert "VXLAN" not in works(verdict)


def test_one_direction_is_enough_for_a_finding() -> None:
    verdict = judge(wire(lambda source, target, kind: (source, target, kind) != ("a1", "b2", "vxlan")), ["VXLAN"])
    assert [finding["pairs"] for finding in verdict["findings"]] == [["a1 -> b2"]]


def test_routers_between_subnets_are_a_doubt_and_no_alarm() -> None:
    verdict = judge(wire(), ["None"])
    assert verdict["ok"]
    assert verdict["findings"] == []
    assert "which a probe cannot tell" in verdict["modes"]["None"]["doubt"]
    assert not judge(wire(lambda source, target, kind: kind != "pod"), ["None"])["ok"]


def test_nodes_that_are_cut_off_are_errors_also_where_nothing_is_known_of_pods() -> None:
    verdict = judge(wire(lambda source, target, kind: "b2" not in (source, target)), ["None"])
    assert [finding["severity"] for finding in verdict["findings"] if finding["kind"] == "plain"] == ["error"]
    assert not verdict["ok"]


def test_ipip_that_comes_in_as_an_answer_only_is_no_working_ipip() -> None:
    """Protocol 4 has no ports: conntrack takes what comes in for answers once the node has sent (calico#1357)."""
    asked = {"a1": wire().rows[("a1", "a2")], "a2": wire().rows[("a2", "a1")]}
    rows = [{"kind": kind, "wire": 2, "let_in": 1 if kind == "ipip" else 2, "damaged": 0} for kind in KINDS]
    arrived = {
        "a1": [{"node": "192.0.2.12", **row} for row in rows],
        "a2": [{"node": "192.0.2.11", **row} for row in rows],
    }
    nodes = {name: NODES[name] for name in arrived}
    verdict = judge(Wire(nodes, {name: [row] for name, row in asked.items()}, arrived), ["IPIP"])
    assert verdict["findings"][0]["what"].endswith("drops it until a1 has sent some itself")
    assert not verdict["ok"]


def test_nodes_that_were_not_probed_are_named() -> None:
    verdict = judge(wire(), ["VXLAN"], unseen=["c1", "c2"])
    assert verdict["failure"].startswith("c1, c2 could not be probed")


def test_a_search_that_ended_early_says_so() -> None:
    found = wire(mtu=lambda source, target: 1400)
    for row in found.rows.values():
        row["kinds"]["vxlan"].update(largest=1340, at_least=True)
    whats = [finding["what"] for finding in judge(found, ["VXLAN"])["findings"]]
    assert "VXLAN (UDP 4789) passes up to 1340 bytes or little more only" in whats[1]


@pytest.mark.parametrize(
    ("modes", "bgp", "ok"),
    [(["IPIP"], "auto", False), (["IPIP"], "disabled", True), (["VXLAN"], "auto", True), (["VXLAN"], "enabled", False)],
)  # bgp is "enabled" for VXLAN with a BGPPeer, see the filter bgp_with_peers
def test_the_port_of_bgp_is_needed_where_bird_routes(modes: list[str], bgp: str, ok: bool) -> None:
    assert judge(wire(tcp="silent"), modes, bgp=bgp)["ok"] is ok


@pytest.mark.parametrize(("state", "count"), [("open", 0), ("refused", 1), ("silent", 1)])
def test_ports_of_tcp(state: str, count: int) -> None:
    verdict = judge(wire(tcp=state), ["VXLAN"])
    assert len(verdict["findings"]) == count
    assert verdict["ok"], "VXLAN needs no BGP"


DAMAGE = "TCP and UDP in a VXLAN of the kernel do not arrive whole"


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (lambda source, target: {}, None),
        (
            lambda source, target: {"data": 0 if source == "a2" else 2},
            f"{DAMAGE} from a2, but with checksums that the kernel makes they do",
        ),
        (
            lambda source, target: {"data": 1, "data-by-kernel": 1},
            f"{DAMAGE} between all nodes, though packets of the probe do",
        ),
        (
            lambda source, target: {"tcp": "broken"},
            "TCP in a VXLAN of the kernel stalls between all nodes, while UDP passes",
        ),
    ],
    ids=["well", "card", "path", "tcp"],
)
def test_what_the_kernel_sends_in_a_vxlan_has_to_arrive_too(payload: t.Any, what: str | None) -> None:
    verdict = judge(wire(payload=payload), ["VXLAN"])
    assert [finding["what"] for finding in verdict["findings"]] == ([what] if what else [])
    assert verdict["ok"] is (what is None)
    assert works(verdict) >= {"IPIP", "IPIPCrossSubnet"}


def test_tcp_that_a_damaging_card_breaks_is_no_finding_by_itself() -> None:
    def payload(source: str, target: str) -> Row:
        return {"data": 0 if source == "a2" else 2, "tcp": "silent" if "a2" in (source, target) else "whole"}

    assert len(judge(wire(payload=payload), ["VXLAN"])["findings"]) == 1


def test_a_node_without_a_vxlan_of_the_kernel_says_nothing_of_checksums() -> None:
    listening = {"a2": {"payload": "no such device", "busy": []}}
    found = wire(payload=lambda source, target: {"data": 0 if target == "a2" else 2}, listening=listening)
    verdict = judge(found, ["VXLAN"])
    assert verdict["ok"]
    assert [finding["what"] for finding in verdict["findings"]] == [
        "TCP and UDP in a VXLAN of the kernel were not tried on a2: no such device"
    ]


def test_payload_that_was_not_tried_is_named() -> None:
    listening: dict[str, Row] = {name: {"payload": "", "busy": []} for name in NODES}
    verdict = judge(wire(listening=listening), ["VXLAN"])
    assert verdict["ok"]
    assert "were not tried between all nodes" in verdict["findings"][0]["what"]
    assert judge(wire(listening={name: {"payload": None} for name in NODES}))["findings"] == []


def test_damage_that_stays_is_not_mended_and_tcp_needs_the_way_back() -> None:
    def payload(source: str, target: str) -> Row:
        return {"damaged": 2, "tcp": "broken"}

    (finding,) = judge(wire(payload=payload), ["VXLAN"])["findings"]
    assert finding["what"] == f"{DAMAGE} between all nodes, though packets of the probe do"


def test_one_host_alone_says_nothing_of_a_network() -> None:
    alone = wire(nodes={"a1": NODES["a1"]})
    verdict = judge(alone, ["IPIP"])
    assert (verdict["ok"], verdict["failure"], verdict["recommended"]) == (True, "", None)
    assert verdict["lines"] == ["Nothing to probe: a1 is alone in this run"]
    assert judge(alone, ["IPIP"], unseen=["a2"])["failure"] == (
        "no two hosts were probed; a2 could not be probed. No mode gets through"
    )


def test_udp_ports_that_are_asked_for_are_needed() -> None:
    verdict = judge(wire(udp="silent"), ["VXLAN"])
    assert verdict["failure"].startswith("UDP 51820 is silent between all nodes")
    busy = {name: {"payload": None, "busy": [51820]} for name in NODES}
    verdict = judge(wire(udp="silent", listening=busy), ["VXLAN"])
    assert verdict["ok"]
    assert [finding["what"] for finding in verdict["findings"]] == [
        "UDP 51820 is in use on a2, b1, b2, a1 and was not probed there"
    ]


def test_lines_have_the_table_the_errors_first_and_the_advice_last() -> None:
    verdict = judge(wire(lambda source, target, kind: kind in ("plain", "vxlan")), ["IPIP"])
    lines = verdict["lines"]
    assert lines[2].split() == ["a1", ".", *["--v", "1500"] * 3]
    assert [line.split(":")[0] for line in lines if line.startswith(("error", "information"))] == [
        "error",
        "information",
    ]
    assert lines[-1] == "Recommended: VXLAN with an MTU of 1450"


def test_no_mode_gets_through() -> None:
    verdict = judge(wire(lambda source, target, kind: False), ["VXLAN"])
    assert verdict["recommended"] is None
    assert verdict["lines"][-1] == "No mode gets through"
