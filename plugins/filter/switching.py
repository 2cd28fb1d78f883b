# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook switch_encapsulation has to compute between its steps, as filters."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.text import natural
from ansible_collections.podnet.calico.plugins.module_utils.verify.matrix import join

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def switch_gate(hostvars: HostVars, batch: t.Sequence[str], results: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the verdict on a batch of hosts: ok, problems (texts), pairs, sent and lost (echo requests).

    results: the variables with what each host's tasks gave; the last of them is that of calico_ping.
    """
    problems: list[str] = []
    rows: dict[str, list[dict[str, t.Any]]] = {}
    for host in batch:
        failed = [_answer(hostvars[host], name) for name in results if _is_bad(hostvars[host], name)]
        problems += [f"{host}: {answer.get('msg') or 'no answer'}" for answer in failed]
        if not failed:
            rows[hostvars[host]["plan_of_node"]["node"]] = hostvars[host][results[-1]]["results"]
    matrix = join(rows)
    pairs = matrix["pairs"]
    problems += [*matrix["failed"], *matrix["unexpected"]]
    sent = sum(pair["sent"] for pair in pairs)
    lost = sent - sum(pair["received"] for pair in pairs)
    return {"ok": not problems, "problems": problems, "pairs": len(pairs), "sent": sent, "lost": lost}


def _answer(variables: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any]:
    return t.cast("t.Mapping[str, t.Any]", variables.get(name, {"failed": True}))


def _is_bad(variables: t.Mapping[str, t.Any], name: str) -> bool:
    answer = _answer(variables, name)
    return bool(answer.get("failed") or answer.get("unreachable"))


def switch_failure(
    verdict: t.Mapping[str, t.Any], hostvars: HostVars, batch: t.Sequence[str], hosts: t.Sequence[str]
) -> str:
    """Return what was found, what is in place now, and how to go on.

    verdict: of switch_gate. batch: the hosts that went back, none if none had been told to move; hosts: all of them.
    """
    hosts = sorted(hosts, key=natural)  # a group that a play makes has them as their answers came
    stuck = [host for host in batch if _is_bad(hostvars[host], "switch_back")]
    moved = [host for host in hosts if host not in batch and hostvars[host]["switch_moved"]]
    rest = [host for host in hosts if host not in batch and host not in moved]
    groups = [
        ([host for host in batch if host not in stuck], "went back to the old mode"),
        (stuck, "could not be told to go back"),
        (moved, "moved before, in the new mode"),
        (rest, "did not move"),
    ]
    changes = "; ".join(hostvars[hosts[0]]["switch_changes"])
    found = [f"{host}: {hostvars[host]['switch_failed']}" for host in hosts if _failed_otherwise(hostvars[host])]
    states = "; ".join(f"{_listed(names)} {state}" for names, state in groups if names)
    return (
        f"Change of {changes}. Found: {'; '.join(found or verdict['problems'])}.\n"
        f"In place: {states}. Both data paths are up on all nodes, so that nodes of both modes reach each other. "
        "The datastore has the old modes.\n"
        "How to go on: repair what was found and run switch_encapsulation again; or put the old modes back into the "
        "inventory, and run it."
    )


def _failed_otherwise(variables: t.Mapping[str, t.Any]) -> bool:
    """Tell whether something else than the verdict has ended the work on a host; its tasks begin with "Judge"."""
    return bool(variables.get("switch_failed")) and not variables["switch_failed"].startswith("Judge ")


def _listed(names: t.Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 10 else f"{', '.join(names[:8])} and {len(names) - 8} more"


def switch_summary(hostvars: HostVars, hosts: t.Sequence[str]) -> list[str]:
    """Return what a run has done, as lines; hosts: those whose routes had to move, none if all had moved before."""
    if not hosts:
        return ["All nodes had the modes of the inventory already."]
    found = switch_gate(hostvars, hosts, ["switch_pings"])
    changes = hostvars[hosts[0]]["switch_changes"]
    what = "; ".join(changes) or "What an earlier run left half done is put in order"
    done = f"{what}: {len(hosts)} node{'' if len(hosts) == 1 else 's'}."
    if not found["pairs"]:
        return [done, "Nothing was pinged: there is no other node."]
    return [
        done,
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
        }
