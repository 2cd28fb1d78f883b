# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD 2's configuration for one node, as text: a pure function of the plan.

The kernel protocol's export filter decides how a route of a pool enters the kernel; BIRD's own table keeps the true
next hop. The order onlink, ifname, gw is the one that BIRD 2 accepts for a tunnel (2.0.12 and 2.17, measured).
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import IPIP_DEVICE

DIGEST = "PODNET_DIGEST"

_SESSION_TEMPLATE = """\
template bgp podnet_session {{
  local {address} port {port} as {asn};
  connect delay time 1; connect retry time 5; error wait time 1, 30;
  hold time 90; keepalive time 30;
  graceful restart on; graceful restart time 120;
  igp metric off;
{cluster}}}"""

_CHANNEL = """\
  ipv4 {{
    igp table podnet_underlay4; gateway recursive; import keep filtered; import limit 10000 action block;
    import filter {filter}; export filter podnet_export4;
  }};"""


def render(bgp: t.Mapping[str, t.Any]) -> str:
    """Return the configuration; bgp is the part "bgp" of a NodePlan as data."""
    debug = f"\ndebug protocols {{ {bgp['debug']} }};" if bgp["debug"] not in ("", "all") else ""
    parts = [
        f"log syslog all;\nrouter id {bgp['router_id']};\ngraceful restart wait 15;"
        + (debug or ("\ndebug protocols all;" if bgp["debug"] else "")),
        _pools(bgp),
        "protocol device podnet_device { scan time 1; }",
        _underlay(bgp),
        _blocks(bgp),
        _kernel_filter(bgp),
        _kernel(),
        _peer_filters(bgp),
        _SESSION_TEMPLATE.format(
            address=bgp["address"],
            port=bgp["listen_port"],
            asn=bgp["local_as"],
            cluster=f"  rr cluster id {bgp['cluster_id']};\n" if bgp["cluster_id"] else "",
        ),
        *(_session(bgp, session) for session in bgp["sessions"]),
    ]
    return _sealed("\n\n".join(parts) + "\n")


def _sealed(body: str) -> str:
    """Put the header and the configuration's own digest before it: a running BIRD can be asked for the digest."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{HEADER}\ndefine {DIGEST} = "{digest}";\n{body}'


def render_empty(router_id: str = "0.0.0.1") -> str:
    """Return a configuration with which BIRD takes its own routes out of the kernel and ends all sessions."""
    lines = [f"router id {router_id};", "protocol device podnet_device { scan time 1; }"]
    lines.append("protocol kernel podnet_kernel4 { persist off; ipv4 { import none; export none; }; }")
    return _sealed("\n".join(lines) + "\n")


def _prefix_set(prefixes: t.Iterable[str]) -> str:
    return "[ " + ", ".join(prefixes) + " ]"


def _pools(bgp: t.Mapping[str, t.Any]) -> str:
    """Define what may be learned: blocks and single addresses of our pools, but nothing inside our own blocks."""
    legal = _prefix_set(f"{pool['cidr']}{{{pool['block_size']},32}}" for pool in bgp["pools"])
    lines = ["# Only these are ever accepted from a peer.", f"define POOLS4 = {legal};"]
    if bgp["blocks"]:
        lines += ["# Never accepted from a peer: the blocks of this node.", f"define OWN4 = {_own(bgp)};"]
    return "\n".join(lines)


def _own(bgp: t.Mapping[str, t.Any]) -> str:
    return _prefix_set(f"{block}+" for block in bgp["blocks"])


def _underlay(bgp: t.Mapping[str, t.Any]) -> str:
    """Give next hops something to be resolved with: connected networks, and kernel routes that lead to a peer."""
    lines = [
        "# How next hops are reached: connected networks, and the host's own routes to peers.",
        "ipv4 table podnet_underlay4;",
        "protocol direct podnet_direct {",
        '  interface "-cali*", "-tunl*", "-vxlan*", "*";',
        "  ipv4 { table podnet_underlay4; };",
        "}",
    ]
    if bgp["sessions"]:
        peers = _prefix_set(f"{session['address']}/32-" for session in bgp["sessions"])
        lines += [
            f"define PEERS4 = {peers};",
            "protocol pipe podnet_learned {",
            "  table podnet_underlay4; peer table master4;",
            f'  import where proto = "podnet_kernel4" && net ~ PEERS4 && !(net ~ {_pool_cidrs(bgp)});',
            "  export none;",
            "}",
        ]
    return "\n".join(lines)


def _pool_cidrs(bgp: t.Mapping[str, t.Any]) -> str:
    return _prefix_set(f"{pool['cidr']}+" for pool in bgp["pools"])


def _blocks(bgp: t.Mapping[str, t.Any]) -> str:
    routes = "".join(f"\n  route {block} blackhole;" for block in bgp["blocks"])
    return (
        "# This node's blocks: packets to addresses without a pod end here instead of looping.\n"
        f"protocol static podnet_blocks4 {{\n  ipv4;{routes}\n}}"
    )


def _kernel_filter(bgp: t.Mapping[str, t.Any]) -> str:
    lines = ["filter podnet_kernel_export4 {"]
    for pool in bgp["pools"]:
        if pool["tunnel"] == "vxlan":
            lines.append(f"  if net ~ [ {pool['cidr']}+ ] then reject;  # VXLAN: these routes are not BIRD's")
    lines.append('  if proto = "podnet_blocks4" then accept;')
    lines.append("  if source != RTS_BGP || net !~ POOLS4 then reject;")
    for pool in bgp["pools"]:
        if pool["tunnel"] == "ipip":
            condition = f"net ~ [ {pool['cidr']}+ ]"
            if pool["cross_subnet"]:
                condition += f" && !(bgp_next_hop ~ {bgp['subnet']})"
            action = f'{{ onlink = true; ifname = "{IPIP_DEVICE}"; gw = bgp_next_hop; }}'
            lines.append(f"  if {condition} then {action}")
    return "\n".join([*lines, "  accept;", "}"])


def _kernel() -> str:
    return """\
protocol kernel podnet_kernel4 {
  learn on; persist on; graceful restart on; scan time 20; merge paths on limit 16;
  ipv4 {
    import where net !~ POOLS4;
    export filter podnet_kernel_export4;
  };
}"""


def _peer_filters(bgp: t.Mapping[str, t.Any]) -> str:
    own = "  if net ~ OWN4 then reject;\n" if bgp["blocks"] else ""
    kept = [pool["cidr"] for pool in bgp["pools"] if not pool["exported"]]
    hidden = f"  if net ~ {_prefix_set(f'{cidr}+' for cidr in kept)} then reject;\n" if kept else ""
    reflected = "  if source = RTS_BGP && net ~ POOLS4 then accept;\n" if bgp["cluster_id"] else ""
    return (
        "filter podnet_import_mesh4 {  # a node of the mesh announces its own blocks only\n"
        f"{own}  if net ~ POOLS4 && bgp_next_hop = from then accept;\n  reject;\n}}\n"
        f"filter podnet_import4 {{\n{own}  if net ~ POOLS4 then accept;\n  reject;\n}}\n"
        f'filter podnet_export4 {{\n{hidden}  if proto = "podnet_blocks4" && net ~ POOLS4 then accept;\n'
        f"{reflected}  reject;\n}}"
    )


def _session(bgp: t.Mapping[str, t.Any], session: t.Mapping[str, t.Any]) -> str:
    channel = _CHANNEL.format(filter="podnet_import_mesh4" if session["pool_next_hop"] else "podnet_import4")
    port = f" port {session['port']}" if session["port"] != 179 else ""
    options = ["multihop;"]
    if session["passive"]:
        options.append("passive on;")
    if session["rr_client"]:
        options.append("rr client;")
    return "\n".join(
        [
            f"protocol bgp {session['name']} from podnet_session {{",
            f"  neighbor {session['address']}{port} as {session['remote_as']};",
            f"  {' '.join(options)}",
            channel,
            "}",
        ]
    )
