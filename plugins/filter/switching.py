# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook switch_encapsulation has to compute between its steps, as filters."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.verify.matrix import join

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def transition_plan(plan: t.Mapping[str, t.Any], moved: bool) -> dict[str, t.Any]:
    """Return the plan that a node has while modes change: tunnels of both, and routes by the old or the new one."""
    transition, requirements = plan["transition"], plan["requirements"]
    return {
        **plan,
        "routes": transition["after" if moved else "before"],
        "standby": [],
        "requirements": {**requirements, "sysctls": {**requirements["sysctls"], **transition["sysctls"]}},
        "cni": {**plan["cni"], "mtu": transition["mtu"]},
    }


def switch_gate(hostvars: HostVars, batch: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the verdict on a batch of hosts: ok, problems (texts), sent and lost (echo requests).

    Looks at what each host registered: switch_move, of calico_route, and switch_pings, of calico_ping.
    """
    problems: list[str] = []
    rows: dict[str, list[dict[str, t.Any]]] = {}
    for host in batch:
        failed = [hostvars[host][name] for name in ("switch_move", "switch_pings") if _is_bad(hostvars[host], name)]
        problems += [f"{host}: {result.get('msg') or 'no answer'}" for result in failed]
        if not failed:
            rows[hostvars[host]["plan_of_node"]["node"]] = hostvars[host]["switch_pings"]["results"]
    matrix = join(rows)
    pairs = matrix["pairs"]
    problems += [*matrix["failed"], *matrix["unexpected"]]
    sent = sum(pair["sent"] for pair in pairs)
    lost = sent - sum(pair["received"] for pair in pairs)
    return {"ok": not problems, "problems": problems, "pairs": len(pairs), "sent": sent, "lost": lost}


def _is_bad(variables: t.Mapping[str, t.Any], name: str) -> bool:
    result = variables.get(name, {"failed": True})
    return bool(result.get("failed") or result.get("unreachable"))


def switch_failure(hostvars: HostVars, batch: t.Sequence[str], hosts: t.Sequence[str]) -> str:
    """Return what was found on a batch that did not stay in its new mode, what is in place now, and how to go on."""
    changes = hostvars[batch[0]]["switch_changes"]
    stuck = [host for host in batch if _is_bad(hostvars[host], "switch_back")]
    moved = [host for host in hosts if host not in batch and hostvars[host]["switch_moved"]]
    rest = [host for host in hosts if host not in batch and host not in moved]
    lines = [
        f"Found: {'; '.join(switch_gate(hostvars, batch)['problems'])}.",
        f"In place: {', '.join(host for host in batch if host not in stuck) or 'no node'} went back to the old mode"
        + (f"; {', '.join(stuck)} could not be told to" if stuck else "")
        + (f"; {', '.join(moved)} moved before and stay in the new mode" if moved else "")
        + (f"; {', '.join(rest)} have not moved" if rest else "")
        + ". Both data paths are up on all nodes, so that nodes of both modes reach each other; the datastore has the "
        "old modes.",
        "How to go on: repair what was found and run switch_encapsulation again; or put the old modes back into the "
        f"inventory and run it. What was to change: {'; '.join(changes)}.",
    ]
    return "\n".join(lines)


def switch_summary(hostvars: HostVars, hosts: t.Sequence[str]) -> list[str]:
    """Return what a run has done, as lines; hosts: those whose routes had to move, none if all had moved before."""
    if not hosts:
        return ["All nodes had the modes of the inventory already."]
    found = switch_gate(hostvars, hosts)
    changes = hostvars[hosts[0]]["switch_changes"]
    return [
        f"{'; '.join(changes) or 'Old routes removed'}: {len(hosts)} nodes moved.",
        f"{found['pairs']} pairs of nodes were pinged as soon as the first of them had moved: {found['sent']} packets, "
        f"{found['lost']} lost.",
    ]


class FilterModule:
    """Provides the filters of podnet.calico for switching modes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "switch_failure": switch_failure,
            "switch_gate": switch_gate,
            "switch_summary": switch_summary,
            "transition_plan": transition_plan,
        }
