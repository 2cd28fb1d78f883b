# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From inventory variables to documents: the filter and the function behind it."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.filter import audit, probing, steps
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner import lint
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import documents

POOL = {"name": "main", "cidr": "10.244.0.0/16", "encapsulation": "VXLANCrossSubnet"}


def seen(address: str, **variables: t.Any) -> dict[str, t.Any]:
    host = {"address": address, "device": "eth0", "mtu": 1500, "encapsulations": ["vxlan"]}
    return {
        "plan_host": {"host": {**host, "checks_sources": False, "advertised": [], "pod_gateway": True, "programs": {}}},
        **variables,
    }


HOSTVARS = {
    "h1": seen("192.0.2.11/24", calico_node_labels={"rack": "r1"}, ansible_host="192.0.2.11"),
    "h2": seen("192.0.2.12/24", calico_node_name="node-two", calico_node_as_number=64513),
    "h3": seen("2001:db8::13/64", calico_node_address="198.51.100.13/24"),
}


def test_cluster_of_an_inventory() -> None:
    made = steps.cluster(HOSTVARS, list(HOSTVARS), pools=[POOL])
    stored = put({}, made["resources"])
    assert stored["IPPool", "main"]["spec"]["vxlanMode"] == "CrossSubnet"
    assert stored["Node", "h1"]["metadata"]["labels"]["rack"] == "r1"
    assert stored["Node", "node-two"]["spec"]["bgp"] == {"asNumber": 64513, "ipv4Address": "192.0.2.12/24"}
    assert stored["Node", "h3"]["spec"]["bgp"] == {"ipv6Address": "2001:db8::13/64"}
    expected = {"address": "192.0.2.12/24", "device": "eth0", "mtu": 1500, "encapsulations": ["vxlan"]}
    expected.update(checks_sources=False, advertised=[], pod_gateway=True)
    assert made["hosts"]["node-two"] == expected


def test_all_kinds_of_documents() -> None:
    peers = [{"name": "tor", "peer_ip": "192.0.2.1", "as_number": 64513}]
    extra = [{"apiVersion": "projectcalico.org/v3", "kind": "IPAMConfiguration", "metadata": {"name": "default"}}]
    made = documents(pools=[POOL], peers=peers, bgp_configuration={"as_number": 65000}, extra=extra)
    assert [document["kind"] for document in made] == ["IPPool", "BGPPeer", "BGPConfiguration", "IPAMConfiguration"]


TYPOS: dict[str, tuple[dict[str, t.Any], str]] = {
    "pool": (
        {"pools": [{**POOL, "nat_outgoin": True}]},
        'calico_ip_pools[0]: there is no option "nat_outgoin". Do you mean nat_outgoing?',
    ),
    "peer": (
        {"peers": [{"name": "tor", "peerip": "192.0.2.1"}]},
        'calico_bgp_peers[0]: there is no option "peerip". Do you mean peer_ip?',
    ),
    "configuration": (
        {"bgp_configuration": {"as_nmber": 1}},
        'calico_bgp_configuration: there is no option "as_nmber". Do you mean as_number?',
    ),
    "encapsulation": (
        {"pools": [{**POOL, "encapsulation": "VXLan"}]},
        'calico_ip_pools[0]: encapsulation "VXLan" does not exist. '
        "Use one of None, IPIP, IPIPCrossSubnet, VXLAN, VXLANCrossSubnet",
    ),
    "no name": ({"pools": [{"cidr": "10.0.0.0/16"}]}, "calico_ip_pools[0] has no name. Give it one"),
}


@pytest.mark.parametrize(("arguments", "text"), TYPOS.values(), ids=TYPOS)
def test_typos_are_refused_with_the_near_name(arguments: dict[str, t.Any], text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        documents(**arguments)
    assert str(caught.value) == text


def test_all_problems_at_once_through_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="2 problems"):
        steps.cluster(HOSTVARS, ["h1"], pools=[{**POOL, "a_b": 1, "encapsulation": "GRE"}])


def test_no_part_of_a_cluster_is_built_without_the_hosts_that_could_not_be_looked_at() -> None:
    hostvars = {
        **HOSTVARS,
        "h2": {"plan_host": {"unreachable": True, "msg": "Failed to connect"}},
        "h3": {"plan_host": {"missing": ["python3-pyroute2"]}},
    }
    with pytest.raises(AnsibleFilterError) as caught:
        steps.cluster(hostvars, list(hostvars), pools=[POOL])
    assert "look at host h2: Failed to connect" in str(caught.value)
    assert "look at host h3: python3-pyroute2 is missing" in str(caught.value)


def test_two_hosts_with_one_node_name(golden: t.Callable[[str, str], None]) -> None:
    hostvars = {**HOSTVARS, "h1": seen("192.0.2.11/24", calico_node_name="node-two")}
    with pytest.raises(AnsibleFilterError) as caught:
        steps.cluster(hostvars, ["h1", "h2"], pools=[POOL])
    golden("errors/two-nodes-with-one-name.txt", str(caught.value))


def test_addresses_known_before_anything_is_looked_at() -> None:
    assert steps.node_addresses(HOSTVARS, ["h1", "h2", "h3"]) == ["192.0.2.11", "198.51.100.13"]


def test_addresses_are_told_from_names() -> None:
    hosts = {"v6": {"ansible_host": "fd00::11"}, "name": {"ansible_host": "1host.example.com"}, "none": {}}
    assert steps.node_addresses(hosts, list(hosts)) == ["fd00::11"]


def test_a_loopback_is_no_address_of_a_node() -> None:
    """Vagrant has ansible_host 127.0.0.1 and a port for each host."""
    hosts = {f"h{n}": {"ansible_host": "127.0.0.1", "ansible_port": 2200 + n} for n in (1, 2)}
    pools = [{"name": "p4", "cidr": "10.244.0.0/16", "encapsulation": "IPIP"}]
    hosts["h1"] |= {"calico_ip_pools": pools, "calico_node_ipv6_address": "::1"}
    assert steps.node_addresses(hosts, list(hosts)) == []
    report = lint.report(steps.inventory_resources(hosts, list(hosts)))
    assert report.findings == []
    assert [(skip.rule, skip.name) for skip in report.skipped] == [("no-session", "h1"), ("no-session", "h2")]


def test_lint_knows_a_subnet_only_from_a_prefix_length() -> None:
    """Addresses of one subnet or of two, as far as anybody knows; /32 says that a router is between."""
    pools = [{"name": "p4", "cidr": "10.244.0.0/16", "encapsulation": "None"}]
    for lengths, rules in (("", []), ("/24", []), ("/32", ["direct-between-subnets"])):
        hosts = {f"h{n}": {"calico_node_address": f"192.0.2.1{n}{lengths}", "calico_ip_pools": pools} for n in (1, 2)}
        report = lint.report(steps.inventory_resources(hosts, list(hosts)))
        assert [finding.rule for finding in report.findings] == rules
        assert [skip.rule for skip in report.skipped] == ([] if lengths else ["direct-between-subnets"])


def test_leaving_hosts() -> None:
    some = steps.leaving(HOSTVARS, ["h2"], ["h1", "h2"], pools=[POOL])
    assert some["nodes"] == ["node-two"]
    assert [document["kind"] for document in some["resources"]] == ["Node"]
    everyone = steps.leaving(HOSTVARS, ["h1", "h2"], ["h1", "h2"], pools=[POOL])
    assert [document["kind"] for document in everyone["resources"]] == ["Node", "Node", "IPPool"]


def stored_nodes(**addresses: str) -> list[dict[str, t.Any]]:
    return [
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"bgp": {"ipv4Address": address}},
        }
        for name, address in addresses.items()
    ]


GROUP: dict[str, dict[str, t.Any]] = {
    "h1": {"ansible_host": "192.0.2.11", "calico_node_name": "n1"},
    "h2": {"ansible_host": "192.0.2.12", "calico_node_name": "n2"},
}


@pytest.mark.parametrize(("target", "host", "node"), [("h2", "h2", "n2"), ("n2", "h2", "n2"), ("n9", "", "n9")])
def test_a_node_is_removed_by_its_own_name_or_that_of_its_host(target: str, host: str, node: str) -> None:
    stored = stored_nodes(n1="192.0.2.11/24", n2="192.0.2.12/24", n9="192.0.2.19/24")
    found = steps.removal(GROUP, target, list(GROUP), stored)
    assert (found["host"], found["node"]) == (host, node)


def test_a_node_that_the_inventory_names_is_not_removed() -> None:
    peer = {"name": "tor", "node": "n2", "peer_ip": "192.0.2.1", "as_number": 64513}
    hostvars = {host: {**variables, "calico_bgp_peers": [peer]} for host, variables in GROUP.items()}
    with pytest.raises(AnsibleFilterError, match="remove node n2: the inventory names it") as caught:
        steps.removal(hostvars, "h2", list(GROUP), stored_nodes(n1="192.0.2.11/24", n2="192.0.2.12/24"))
    assert "BGPPeer tor: spec.node n2" in str(caught.value)


def test_hosts_that_an_audit_could_not_look_at_are_named() -> None:
    hostvars = {"h1": {"audit_result": {"findings": []}}, "h2": {"audit_result": {"failed": True}}, "h3": {}}
    made = audit.audit_report(hostvars, ["h1", "h2"], ["h1", "h2", "h3"], "any")
    assert (made["unseen"], made["clean"], made["failed"]) == (["h2", "h3"], False, True)
    well = audit.audit_report({"h1": hostvars["h1"]}, ["h1"], ["h1"], "any")
    assert (well["unseen"], well["clean"], well["failed"]) == ([], True, False)


def probed(address: str, **missing: t.Any) -> dict[str, t.Any]:
    """Return the variables of a host whose probe has its results, of no other host; missing: what it lacks."""
    return {
        "probe_listening": {"node": {"address": address}},
        "probe_asked": {"results": []},
        "probe_arrived": {"arrivals": []},
        **missing,
    }


@pytest.mark.parametrize(
    "missing",
    [
        {"probe_listening": {"failed": True}},
        {"probe_asked": {"failed": True}},
        {"probe_arrived": {"unreachable": True}},
        {"probe_arrived": None},
    ],
)
def test_hosts_whose_probe_has_no_result_are_named(missing: dict[str, t.Any]) -> None:
    hostvars = {"h1": probed("192.0.2.11/24"), "h2": probed("192.0.2.12/24", **missing)}
    made = probing.probe_verdict(hostvars, list(hostvars), [POOL])
    assert (made["unseen"], made["ok"]) == (["h2"], False)


PASSWORDS = {"bgp": {"mesh": "a", "tor": "b"}, "other": {"key": "c"}, "empty": {"key": None}}


def test_names_of_passwords() -> None:
    assert steps.secret_names(PASSWORDS) == ["bgp/mesh", "bgp/tor", "other/key"]
    assert steps.secret_names(None) == []


@pytest.mark.parametrize("given", [{"bgp": "s3cret"}, "s3cret", ["s3cret"]])
def test_passwords_in_a_wrong_shape_are_not_shown(given: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="is not a mapping") as caught:
        steps.secret_names(given)
    assert "s3cret" not in str(caught.value)


def test_a_host_gets_the_passwords_of_its_sessions_alone() -> None:
    assert steps.passwords_of(PASSWORDS, ["bgp/tor", "empty/key", "gone/x"]) == {"bgp": {"tor": "b"}}


def test_the_mtu_of_pods_is_a_number_of_bytes() -> None:
    hostvars = {"h1": {**HOSTVARS["h1"], "calico_mtu": "1400"}, "h2": HOSTVARS["h2"]}
    made = steps.cluster(hostvars, list(hostvars), pools=[POOL])
    assert [host.get("pod_mtu") for host in made["hosts"].values()] == [1400, None]
    with pytest.raises(AnsibleFilterError, match='calico_mtu "14k" of h1 is no MTU'):
        steps.cluster({"h1": {**HOSTVARS["h1"], "calico_mtu": "14k"}}, ["h1"], pools=[POOL])
