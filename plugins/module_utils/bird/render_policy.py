# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is accepted from peers and announced to them.

Import is stricter than Calico's, which takes everything: see docs/bird.md. Export follows Calico's order, but passes
routes on only as a route reflector.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import filters as bgp_filters
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_text import BITS, block, prefix_set

Data = t.Mapping[str, t.Any]
_OUTSIDE = 90
"""BIRD's preference for what others announce than nodes, which have 100: whatever its LOCAL_PREF, a node's wins."""


def policy(bgp: Data, family: Data, sessions: t.Sequence[Data]) -> list[str]:
    """Return the filters of an IP version: three for import, one for export, and two more per session with BGPFilters.

    sessions: those of that IP version.
    """
    number = family["version"]
    shared = [
        block(f"filter podnet_import_{role}{number}", [*_before(family, role), *_after(family, role)])
        for role in ("node", "reflector", "external")
    ]
    functions = bgp_filters.functions(bgp["filters"], number) if any(one["filters"] for one in sessions) else ""
    return [
        _prefixes(family),
        *([functions] if functions else []),
        "\n".join(shared),
        block(f"function podnet_advertise{number}()", _advertise(bgp, family)),
        block(f"filter podnet_export{number}", [*_own_priority(family), f"podnet_advertise{number}();"]),
        *("\n".join(_of_session(family, one)) for one in sessions if one["filters"]),
    ]


def import_filter(session: Data) -> str:
    """Return the name of a session's import filter."""
    if session["filters"]:
        return f"import_{session['name']}"
    return f"podnet_import_{_role(session)}{session['family']}"


def export_filter(session: Data) -> str:
    """Return the name of a session's export filter."""
    return f"export_{session['name']}" if session["filters"] else f"podnet_export{session['family']}"


def _role(session: Data) -> str:
    """Return what a peer is to us: a node, which announces only itself as next hop, a reflector, or anything else."""
    if not session["peer"]:
        return "external"
    return "reflector" if session["reflects"] else "node"


def _prefixes(family: Data) -> str:
    """Define what may be learned: blocks and single addresses of our pools, but nothing inside our own blocks."""
    number, bits = family["version"], BITS[family["version"]]
    lines = []
    if family["pools"]:
        legal, blocks = (
            prefix_set(
                f"{pool['cidr']}{{{pool['block_size']},{longest or pool['block_size']}}}" for pool in family["pools"]
            )
            for longest in (bits, None)
        )
        lines += [
            "# Blocks of pools, and what is in them: no node announces anything else.",
            f"define POOLS{number} = {legal};",
            "# Blocks alone: a part of one would take its addresses away from the node that announces the whole.",
            f"define BLOCKS{number} = {blocks};",
        ]
    if family["blocks"]:
        lines += [
            "# The blocks of this node: never accepted from a peer.",
            f"define OWN{number} = {prefix_set(family['blocks'], '+')};",
        ]
    return "\n".join(lines) or f"# No pool of IPv{number}."


def _before(family: Data, role: str) -> list[str]:
    """Return the statements before a session's BGPFilters: what they cannot accept."""
    number = family["version"]
    lines = [f"if net ~ OWN{number} then reject;"] if family["blocks"] else []
    if role == "external":
        return [*lines, f"preference = {_OUTSIDE};"]
    legal = [f"net !~ POOLS{number}"] if family["pools"] else []
    if family["reflected_services"]:
        legal.append(f"net !~ {prefix_set(family['reflected_services'], '+')}")
    if not legal:
        return [*lines, "reject;"]
    lines.append(f"if {' && '.join(legal)} then reject;")
    return lines if role == "reflector" else [*lines, "if bgp_next_hop != from then reject;"]


def _after(family: Data, role: str) -> list[str]:
    """Return the statements after a session's BGPFilters: what happens to routes that they say nothing of."""
    if role != "external":
        return ["accept;"]
    return [*([f"if net ~ BLOCKS{family['version']} then accept;"] if family["pools"] else []), "reject;"]


def _own_priority(family: Data) -> list[str]:
    """Give the node's own routes the LOCAL_PREF that Calico (v3.32) gives them."""
    return [f"if source != RTS_BGP then bgp_local_pref = {bgp_filters.LARGEST_PRIORITY - family['priority']};"]


def _advertise(bgp: Data, family: Data) -> list[str]:
    """Return Calico's order after a session's BGPFilters; the names of protocols say where a route is from."""
    number = family["version"]
    hidden = [pool["cidr"] for pool in family["pools"] if not pool["exported"]]
    lines = [f"if net ~ {prefix_set(hidden, '+')} then reject;  # disableBGPExport"] if hidden else []
    for advertisement in family["advertisements"]:
        adding = " ".join(map(bgp_filters.add_community, advertisement["communities"]))
        lines.append(f"if net ~ [ {advertisement['cidr']}+ ] then {{ {adding} }}")
    own = [f'proto = "podnet_{kind}{number}"' for kind in ("blocks", "services") if family[kind]]
    if own:
        lines.append(f"if {' || '.join(own)} then accept;")
    reflected = [f"net ~ POOLS{number}"] if family["pools"] else []
    if family["reflected_services"]:
        reflected.append(f"net ~ {prefix_set(family['reflected_services'], '+')}")
    if bgp["cluster_id"] and reflected:
        lines.append(f"if source = RTS_BGP && ({' || '.join(reflected)}) then accept;  # as a route reflector")
    return [*lines, "reject;"]


def _of_session(family: Data, session: Data) -> t.Iterator[str]:
    """Yield the filters of a session with BGPFilters, which are asked in their order."""
    number, role = family["version"], _role(session)
    ibgp = session["remote_as"] == session["local_as"]
    calls = {
        direction: [bgp_filters.call(name, direction, number, ibgp=ibgp) for name in session["filters"]]
        for direction in bgp_filters.DIRECTIONS
    }
    yield block(f"filter {import_filter(session)}", [*_before(family, role), *calls["import"], *_after(family, role)])
    yield block(
        f"filter {export_filter(session)}",
        [*_own_priority(family), *calls["export"], f"podnet_advertise{number}();"],
    )
