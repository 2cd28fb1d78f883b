# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook switch_encapsulation has to compute between its steps, as filters."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.text import natural

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def switch_gate(hostvars: HostVars, hosts: t.Sequence[str], result: str) -> dict[str, t.Any]:
    """Return the verdict on hosts: ok, and problems (texts); result: the variable with what a task gave on each.

    Hosts on which it was not reached are passed over, unless an earlier task failed there.
    """
    problems = [f"{host}: {text}" for host in hosts for text in _problems(hostvars[host], result)]
    return {"ok": not problems, "problems": problems}


def _problems(variables: t.Mapping[str, t.Any], result: str) -> list[str]:
    """Return what failed on a host first: the task itself, else one before it, or the look at the datastore."""
    names = (result, "ansible_failed_result", "plan_held")
    answers = (variables[name] for name in names if name in variables)
    bad = next((answer for answer in answers if answer.get("failed") or answer.get("unreachable")), None)
    return [] if bad is None else list(bad.get("problems") or [bad.get("msg") or "no answer"])


def switch_failure(verdict: t.Mapping[str, t.Any], hostvars: HostVars, hosts: t.Sequence[str]) -> str:
    """Return what was found, what is in place now, and how to go on. verdict: of switch_gate; hosts: all that move."""
    hosts = sorted(hosts, key=natural)  # a group that a play makes has them as their answers came
    found: dict[str, list[str]] = {}
    for host in hosts:
        found.setdefault(_place(hostvars[host]), []).append(host)
    states = "; ".join(f"{_listed(found[place])} {place}" for place in _PLACES if place in found)
    changes = "; ".join(hostvars[hosts[0]]["switch_changes"])
    return (
        f"Change of {changes}. Found: {'; '.join(verdict['problems'])}.\n"
        f"In place: {states}. Both data paths are up on all nodes, so that nodes of both modes reach each other. "
        "The datastore has the old modes.\n"
        "How to go on: repair what was found and run switch_encapsulation again; or put the old modes back into the "
        "inventory, and run it."
    )


_BACK = "went back to the old mode"
_MOVED = "in the new mode"
_STAYED = "did not move"
_UNKNOWN = "cannot be asked; each goes back by itself unless it reaches all others by the new path"
_STUCK = "could not be brought to one mode, see above"
_PLACES = (_BACK, _UNKNOWN, _STUCK, _MOVED, _STAYED)


def _place(variables: t.Mapping[str, t.Any]) -> str:
    """Return in words where a host is, by what came of the task that moves it."""
    answer = variables.get("switch_move")
    if answer is None or variables["switch_moved"]:
        return _MOVED if variables["switch_moved"] else _STAYED
    if answer.get("unreachable"):
        return _UNKNOWN
    if not answer.get("failed"):
        return _MOVED
    return {"back": _BACK, "unchanged": _MOVED}.get((answer.get("failure") or {}).get("routes", ""), _STUCK)


def _listed(names: t.Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 10 else f"{', '.join(names[:8])} and {len(names) - 8} more"


def switch_summary(hostvars: HostVars, hosts: t.Sequence[str]) -> list[str]:
    """Return what a run has done, as lines; hosts: those whose routes had to move, none if all had moved before."""
    if not hosts:
        return ["All nodes had the modes of the inventory already."]
    changes = hostvars[hosts[0]]["switch_changes"]
    what = "; ".join(changes) or "What an earlier run left half done is put in order"
    done = f"{what}: {len(hosts)} node{'' if len(hosts) == 1 else 's'}."
    pings = [ping for host in hosts for ping in hostvars[host]["switch_move"]["pings"]]
    if not pings:
        return [done, "Nothing was pinged: there is no other node."]
    sent = sum(ping["sent"] for ping in pings)
    lost = sent - sum(ping["received"] for ping in pings)
    return [
        done,
        f"{len(pings)} pairs of nodes were pinged as soon as the first of them had moved: {sent} packets, {lost} lost.",
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
