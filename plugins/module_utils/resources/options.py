# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of the modules, in snake_case, to documents; options that are not given are left out."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import API_VERSION

Params = t.Mapping[str, t.Any]
Spec = t.Dict[str, t.Any]

IPPOOL = {
    "cidr": "cidr",
    "block_size": "blockSize",
    "nat_outgoing": "natOutgoing",
    "disabled": "disabled",
    "disable_bgp_export": "disableBGPExport",
    "node_selector": "nodeSelector",
    "namespace_selector": "namespaceSelector",
    "allowed_uses": "allowedUses",
    "assignment_mode": "assignmentMode",
}
NODE = {
    "ipv4_vxlan_tunnel_addr": "ipv4VXLANTunnelAddr",
    "vxlan_tunnel_mac_addr": "vxlanTunnelMACAddr",
    "ipv6_vxlan_tunnel_addr": "ipv6VXLANTunnelAddr",
    "vxlan_tunnel_mac_addr_v6": "vxlanTunnelMACAddrV6",
}
NODE_BGP = {
    "as_number": "asNumber",
    "ipv4_address": "ipv4Address",
    "ipv6_address": "ipv6Address",
    "ipv4_ipip_tunnel_addr": "ipv4IPIPTunnelAddr",
    "route_reflector_cluster_id": "routeReflectorClusterID",
}
BGP_PEER = {
    "node": "node",
    "node_selector": "nodeSelector",
    "peer_ip": "peerIP",
    "peer_selector": "peerSelector",
    "local_workload_selector": "localWorkloadSelector",
    "as_number": "asNumber",
    "local_as_number": "localASNumber",
    "keep_original_next_hop": "keepOriginalNextHop",
    "next_hop_mode": "nextHopMode",
    "source_address": "sourceAddress",
    "max_restart_time": "maxRestartTime",
    "keepalive_time": "keepaliveTime",
    "num_allowed_local_as_numbers": "numAllowedLocalASNumbers",
    "ttl_security": "ttlSecurity",
    "reachable_by": "reachableBy",
    "filters": "filters",
    "reverse_peering": "reversePeering",
}
BGP_PEER_EXCLUSIVE = (("node", "nodeSelector"), ("peerIP", "peerSelector", "localWorkloadSelector"))
BGP_FILTER = {"import_v4": "importV4", "export_v4": "exportV4", "import_v6": "importV6", "export_v6": "exportV6"}
BGP_FILTER_RULE = {
    "action": "action",
    "cidr": "cidr",
    "match_operator": "matchOperator",
    "prefix_length": "prefixLength",
    "source": "source",
    "interface": "interface",
    "peer_type": "peerType",
    "communities": "communities",
    "as_path_prefix": "asPathPrefix",
    "priority": "priority",
    "operations": "operations",
}
BGP_FILTER_OPERATION = {
    "add_community": ("addCommunity", "value"),
    "prepend_as_path": ("prependASPath", "prefix"),
    "set_priority": ("setPriority", "value"),
}
BGP_CONFIGURATION = {
    "log_severity_screen": "logSeverityScreen",
    "node_to_node_mesh_enabled": "nodeToNodeMeshEnabled",
    "as_number": "asNumber",
    "service_load_balancer_aggregation": "serviceLoadBalancerAggregation",
    "communities": "communities",
    "prefix_advertisements": "prefixAdvertisements",
    "listen_port": "listenPort",
    "node_mesh_max_restart_time": "nodeMeshMaxRestartTime",
    "bind_mode": "bindMode",
    "ignored_interfaces": "ignoredInterfaces",
    "local_workload_peering_ipv4": "localWorkloadPeeringIPV4",
    "local_workload_peering_ipv6": "localWorkloadPeeringIPV6",
    "program_cluster_routes": "programClusterRoutes",
    "ipv4_normal_route_priority": "ipv4NormalRoutePriority",
    "ipv6_normal_route_priority": "ipv6NormalRoutePriority",
}
SERVICE_RANGES = {
    "service_cluster_ips": "serviceClusterIPs",
    "service_external_ips": "serviceExternalIPs",
    "service_load_balancer_ips": "serviceLoadBalancerIPs",
}


def ippool(params: Params) -> Spec:
    """Return the document of an IPPool.

    Raises InvalidInput if encapsulation, ipip_mode and vxlan_mode contradict each other.
    """
    return _document("IPPool", params, {**_renamed(params, IPPOOL), **_modes(params)})


def node(params: Params) -> Spec:
    """Return the document of a Node."""
    spec = _renamed(params, NODE)
    bgp = _renamed(params, NODE_BGP)
    return _document("Node", params, {**spec, "bgp": bgp} if bgp else spec)


def bgp_peer(params: Params) -> Spec:
    """Return the document of a BGPPeer; one of several fields that exclude each other removes the stored others."""
    spec = {**_renamed(params, BGP_PEER), **_secret(params, "password", "password")}
    for group in BGP_PEER_EXCLUSIVE:
        if any(key in spec for key in group):
            spec = {**dict.fromkeys(group), **spec}
    if spec.get("peerSelector") is not None:
        spec.setdefault("asNumber", None)
    return _document("BGPPeer", params, spec)


def bgp_filter(params: Params) -> Spec:
    """Return the document of a BGPFilter; each list that is given replaces the stored one."""
    lists = _renamed(params, BGP_FILTER)
    return _document("BGPFilter", params, {key: _each(rules, _rule) for key, rules in lists.items()})


def bgp_configuration(params: Params) -> Spec:
    """Return the document of a BGPConfiguration."""
    ranges = {
        key: [{"cidr": cidr} for cidr in params[option]]
        for option, key in SERVICE_RANGES.items()
        if params.get(option) is not None
    }
    password = _secret(params, "node_mesh_password", "nodeMeshPassword")
    return _document("BGPConfiguration", params, {**_renamed(params, BGP_CONFIGURATION), **ranges, **password})


def _renamed(params: Params, names: t.Mapping[str, str]) -> Spec:
    return {key: params[option] for option, key in names.items() if params.get(option) is not None}


def _each(items: t.Any, change: t.Callable[[Params], Spec]) -> t.Any:
    """Return a list with its mappings changed; what has another shape stays, for the model to refuse."""
    if not isinstance(items, list):
        return items
    return [change(item) if isinstance(item, t.Mapping) else item for item in items]


def _rule(given: Params) -> Spec:
    rule = _renamed(given, BGP_FILTER_RULE)
    if "communities" in rule:
        rule["communities"] = {"values": rule["communities"]}
    if isinstance(rule.get("prefixLength"), t.Mapping):
        rule["prefixLength"] = {key: value for key, value in rule["prefixLength"].items() if value is not None}
    if "operations" in rule:
        rule["operations"] = _each(rule["operations"], _operation)
    return rule


def _operation(given: Params) -> Spec:
    return {
        key: {inner: given[option]}
        for option, (key, inner) in BGP_FILTER_OPERATION.items()
        if given.get(option) is not None
    }


def _secret(params: Params, option: str, key: str) -> Spec:
    given = params.get(option)
    if given is None:
        return {}
    return {key: {"secretKeyRef": {name: value for name, value in given.items() if value is not None}}}


def _document(kind: str, params: Params, spec: Spec) -> Spec:
    metadata = {"name": params["name"]}
    if params.get("labels") is not None:
        metadata["labels"] = params["labels"]
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _modes(params: Params) -> Spec:
    """Return ipipMode and vxlanMode; one mode that encapsulates says that the other does not."""
    given = {"ipip_mode": params.get("ipip_mode"), "vxlan_mode": params.get("vxlan_mode")}
    encapsulation = params.get("encapsulation")
    where = f'IPPool "{params["name"]}"'
    if encapsulation is not None:
        meant = dict(zip(given, ENCAPSULATIONS[encapsulation]))
        for option, mode in given.items():
            if mode not in (None, meant[option]):
                message = f'{where}: encapsulation "{encapsulation}" contradicts {option} "{mode}"'
                raise InvalidInput(message, remedy="Give encapsulation alone; it sets both modes")
        given.update(meant)
    encapsulating = {option: mode for option, mode in given.items() if mode not in (None, "Never")}
    if len(encapsulating) > 1:
        shown = " contradicts ".join(f'{option} "{mode}"' for option, mode in encapsulating.items())
        remedy = "Set one of them to Never, or give encapsulation instead"
        raise InvalidInput(f"{where}: {shown}: a pool has one encapsulation", remedy=remedy)
    modes = {option: mode or ("Never" if encapsulating else None) for option, mode in given.items()}
    return _renamed(modes, {"ipip_mode": "ipipMode", "vxlan_mode": "vxlanMode"})
