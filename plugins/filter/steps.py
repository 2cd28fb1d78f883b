# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps between roles that need computing, as filters: the logic itself is in module_utils."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import disagreements
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, PodnetError, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.planner.removal import cut_off_without, naming
from ansible_collections.podnet.calico.plugins.module_utils.planner.removal import removal as removal_of
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import documents
from ansible_collections.podnet.calico.plugins.module_utils.resources.lists import documents_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import API_VERSION
from ansible_collections.podnet.calico.plugins.module_utils.verify import host_pings
from ansible_collections.podnet.calico.plugins.module_utils.verify.matrix import join

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def node_addresses(hostvars: HostVars, hosts: t.Sequence[str]) -> list[str]:
    """Return the addresses of hosts as far as the inventory has them, without prefix lengths."""
    known = (hostvars[host].get("calico_node_address") or hostvars[host].get("ansible_host") for host in hosts)
    return [address for address in (str(text or "").partition("/")[0] for text in known) if _is_address(address)]


def _is_address(text: str) -> bool:
    """Tell an IP address that can be a node's from a host's name, and from a loopback, which every host has."""
    try:
        return not ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def cluster(hostvars: HostVars, hosts: t.Sequence[str], **resources: t.Any) -> dict[str, t.Any]:
    """Return resources (documents) and hosts (node name to what was seen there) of a cluster.

    Fails with the reasons of all hosts that could not be looked at, so that no part of a cluster is built without them.
    """
    try:
        raise_all([_blind(host, hostvars[host]) for host in hosts if "host" not in hostvars[host]["plan_host"]])
        raise_all(list(filter(None, (_mtu_problem(host, hostvars[host]) for host in hosts))))
        nodes = [_node(host, hostvars[host]) for host in hosts]
        made = documents(nodes=nodes, **resources)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error
    return {"resources": made, "hosts": {node["name"]: _observed(hostvars[node["host"]]) for node in nodes}}


def bgp_with_peers(bgp: str, peers: t.Sequence[t.Any] | None = None, extra: t.Any = None) -> str:
    """Return calico_bgp with "enabled" for "auto" where an inventory has a BGPPeer, in either of its two places."""
    kinds = [each.get("kind") for each in documents_of(extra) if isinstance(each, t.Mapping)]
    return "enabled" if bgp == "auto" and (peers or "BGPPeer" in kinds) else bgp


def _observed(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what the planner has to know of a host: what was seen there, and the MTU of pods that is asked for."""
    seen = variables["plan_host"]["host"]
    asked = {"pod_mtu": int(variables["calico_mtu"])} if variables.get("calico_mtu") else {}
    kept = ("address", "device", "mtu", "encapsulations", "checks_sources", "advertised", "pod_gateway")
    on = {key: seen[key] for key in ("address_device", "ipv6_address_device") if key in seen}
    return {**{key: seen[key] for key in kept if key in seen}, **on, **asked}


def _mtu_problem(host: str, variables: t.Mapping[str, t.Any]) -> InvalidInput | None:
    given = str(variables.get("calico_mtu") or 0)
    if given.isdecimal() and int(given) < 65536:
        return None
    return InvalidInput(f'calico_mtu "{given}" of {host} is no MTU', remedy="Give bytes, such as 1450, or leave it out")


def _node(host: str, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    seen = variables["plan_host"]["host"]
    return {**_fields(host, variables), "address": seen["address"], "ipv6_address": seen.get("ipv6_address")}


def _fields(host: str, variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        "host": host,
        "name": variables.get("calico_node_name") or host,
        "labels": variables.get("calico_node_labels"),
        "as_number": variables.get("calico_node_as_number"),
        "route_reflector_cluster_id": variables.get("calico_node_route_reflector_cluster_id"),
    }


def _blind(host: str, variables: t.Mapping[str, t.Any]) -> InvalidInput:
    answer = variables["plan_host"]
    reason = answer.get("msg") or f"{', '.join(answer.get('missing') or ['a package'])} is missing"
    return InvalidInput(f"look at host {host}: {reason}")


_SHARED = {
    "pools": "calico_ip_pools",
    "peers": "calico_bgp_peers",
    "filters": "calico_bgp_filters",
    "bgp_configuration": "calico_bgp_configuration",
    "extra": "calico_resources",
}


def inventory_resources(hostvars: HostVars, hosts: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """Return the documents that the variables of an inventory ask for, without having looked at the hosts.

    An address stays without prefix length where it has none, since nothing is known of the host's subnet then; a host
    whose address is not known becomes a Node without one.
    """
    if not hosts:
        raise AnsibleFilterError("read the inventory: the group has no hosts. Set calico_group, or calico_lint_src")
    first = hostvars[hosts[0]]
    shared = {key: first[variable] for key, variable in _SHARED.items() if first.get(variable) is not None}
    nodes = [{**_fields(host, hostvars[host]), **_known_addresses(hostvars[host])} for host in hosts]
    try:
        made = documents(nodes=[node for node in nodes if node["address"]], **shared)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error
    kept = ("name", "labels", "as_number", "route_reflector_cluster_id")
    bare = [options.node({key: node[key] for key in kept}) for node in nodes if not node["address"]]
    return [*made, *bare]


def _known_addresses(variables: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    """Return the address, and the IPv6 address beside it, of a host as the inventory has them; "" or None for none."""
    first = str(variables.get("calico_node_address") or variables.get("ansible_host") or "")
    second = str(variables.get("calico_node_ipv6_address") or "")
    known = [text if _is_address(text.partition("/")[0]) else "" for text in (first, second)]
    return {"address": known[0], "ipv6_address": known[1] or None}


def removal(
    hostvars: HostVars, target: str, group: t.Sequence[str], stored: t.Sequence[dict[str, t.Any]]
) -> dict[str, t.Any]:
    """Return what goes with a node: see planner.removal, and host, its name in the inventory, empty for none.

    target: the name of the host or the node. Fails if the inventory of the other hosts names the node, since the next
    deployment would store that again, and if the other nodes would be left without routes to each other.
    """
    names = {host: hostvars[host].get("calico_node_name") or host for host in group}
    host = target if target in names else next((host for host, name in names.items() if name == target), "")
    name = names.get(host, target)
    known = [text for text in (_known_addresses(hostvars[host]).values() if host else ()) if text]
    found = removal_of(stored, name, known)
    others = [other for other in group if other != host]
    wanted = inventory_resources(hostvars, others) if others else []
    named = naming(wanted, name, found["addresses"], found["cidrs"])
    if named:
        raise AnsibleFilterError(
            f"remove node {name}: the inventory names it, so that the next deployment would store it again: "
            f"{'; '.join(named)}. Take that out of the inventory first"
        )
    first = hostvars[others[0]] if others else {}
    bgp, allowed = first.get("calico_bgp") or "auto", first.get("calico_allow_cut_off") or ()
    problems = cut_off_without(stored, found["documents"], wanted, bgp, allowed)
    if problems:
        raise AnsibleFilterError(
            f"remove node {name}: the others would be cut off: {'; '.join(problems)}. Do that in the inventory first"
        )
    return {**found, "host": host}


def leaving(hostvars: HostVars, hosts: t.Sequence[str], group: t.Sequence[str], **resources: t.Any) -> dict[str, t.Any]:
    """Return nodes (names) and resources (documents) that go when hosts leave; everything goes with the whole group."""
    names = [hostvars[host].get("calico_node_name") or host for host in hosts]
    nodes = [{"apiVersion": API_VERSION, "kind": "Node", "metadata": {"name": name}} for name in names]
    rest = documents(**resources) if set(group) <= set(hosts) else []
    return {"nodes": names, "resources": [*nodes, *rest]}


def secret_names(passwords: t.Any) -> list[str]:
    """Return "secret/key" of passwords that are given by name of the secret and key in it; no error shows a value."""
    if not isinstance(passwords or {}, t.Mapping):
        raise AnsibleFilterError("calico_bgp_passwords is not a mapping: write secret: {key: password}")
    found = []
    for secret, keys in sorted((passwords or {}).items()):
        if not isinstance(keys, t.Mapping):
            raise AnsibleFilterError(
                f"calico_bgp_passwords.{secret} is not a mapping: write {secret}: {{key: password}}"
            )
        found += [f"{secret}/{key}" for key, value in sorted(keys.items()) if value is not None]
    return found


def passwords_of(passwords: t.Mapping[str, t.Mapping[str, str]], secrets: t.Iterable[str]) -> dict[str, t.Any]:
    """Return those passwords that are named as "secret/key", so that no host gets to know any other."""
    found: dict[str, t.Any] = {}
    for secret, __, key in (name.partition("/") for name in secrets):
        value = passwords.get(secret, {}).get(key)
        if value is not None:
            found.setdefault(secret, {})[key] = value
    return found


def cni_disagreements(hostvars: HostVars, hosts: t.Sequence[str]) -> list[str]:
    """Return what the container runtimes' networks of hosts differ in, of what has to be the same on all of them."""
    seen = {host: (hostvars[host].get("cni_network") or {}).get("agreement") for host in hosts}
    return disagreements({host: each for host, each in seen.items() if each})


def ping_matrix(hostvars: HostVars, hosts: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the matrix of what calico_ping found on each host, and what came of the pings between pods and hosts."""
    rows = {hostvars[host]["plan_of_node"]["node"]: hostvars[host]["verify_pings"]["results"] for host in hosts}
    of_pods, of_hosts = (
        {node: [row for row in found if (row["expected"] is None) == with_host] for node, found in rows.items()}
        for with_host in (False, True)
    )
    matrix, between = join(of_pods), host_pings.judge(of_hosts)
    failed = [*matrix["failed"], *between["misrouted"]]
    ok = matrix["ok"] and not between["misrouted"]
    return {**matrix, "failed": failed, "ok": ok, "unanswered": between["unanswered"]}


def hosts_with_changes(hostvars: HostVars, hosts: t.Sequence[str], results: t.Sequence[str]) -> list[str]:
    """Return the hosts on which one of some registered results says that it changed something."""
    return [host for host in hosts if any((hostvars[host].get(name) or {}).get("changed") for name in results)]


class FilterModule:
    """Provides the filters of podnet.calico."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "bgp_with_peers": bgp_with_peers,
            "hosts_with_changes": hosts_with_changes,
            "cluster": cluster,
            "cni_disagreements": cni_disagreements,
            "inventory_resources": inventory_resources,
            "leaving": leaving,
            "node_addresses": node_addresses,
            "passwords_of": passwords_of,
            "ping_matrix": ping_matrix,
            "removal": removal,
            "secret_names": secret_names,
        }
