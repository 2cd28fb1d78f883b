# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit finds: expected against actual, judged from the changes that the appliers would make."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, PodnetError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.changes import Change

MISSING, WRONG, STALE, FOREIGN = CATEGORIES = ("missing", "wrong", "stale", "foreign")
_OF_ACTION = {"create": MISSING, "replace": WRONG, "delete": STALE}
_LONGEST = 200  # characters of what a finding expects or sees

DEPLOY = "Run podnet.calico.deploy, which repairs it"
_AWAY = "Remove it or give it another place; deploy does not touch what is not ours"
_WHY = {
    "bird": "BIRD routes by another configuration than the plan's",
    "blackhole": "packets to addresses without a pod would go round in a loop",
    "fdb": "without the right entry packets for a node are dropped, or sent to another host",
    "file": "what reads it at its next start, or after a reboot, goes by it",
    "guard": "pods and strangers can send what is not theirs, or nodes are taken for strangers",
    "kubeconfig": "Calico's plugin does not reach the Kubernetes API, so that no pod gets a network",
    "mode": "others on the host can read it, or the container runtime cannot",
    "nat": "packets of pods to the outside keep addresses that nobody there can answer",
    "neighbour": "without the right MAC packets for a node do not enter the tunnel, or are dropped at its other end",
    "network": "the container runtime takes the first file by name, so that pods get into another network, or none",
    "route": "packets to pods of that block get lost or take another way",
    "secrets": "sessions that need these passwords do not come up",
    "service": "nobody keeps BIRD's routes up to date",
    "session": "routes that this peer knows do not arrive, and it does not learn ours",
    "sysctl": "the kernel does not forward packets of pods as it has to",
    "tunnel": "packets to nodes behind the tunnel get lost",
    "unit": "after a reboot the node is off the pod network until it is deployed again",
    "document": "the next plan is made from it",
    "node": "tunnels of the node lack their address",
    "address": "nobody uses it, and nobody else can get it",
    "block": "nobody uses it, and no other node can get it",
}
_WHY_STALE = {
    "route": "packets go where no node with these addresses is planned any more",
    "session": "BIRD keeps a session that is not planned, and with it what the peer announces",
    "fdb": "it names a node that is not planned any more",
    "neighbour": "it names a node that is not planned any more",
    "guard": "a host that is no node is trusted, or packets are dropped that should not be",
    "nat": "packets are masqueraded, or spared from it, that should not be",
    "tunnel": "a device with an address that another node may get",
    "document": "a node that does not exist is planned for",
}


class Finding(t.NamedTuple):
    """One difference between what a node should be and what it is.

    category: one of CATEGORIES. expected and actual: short texts, empty for nothing. why: what it does to packets.
    """

    category: str
    kind: str
    name: str
    expected: str
    actual: str
    why: str
    remedy: str


def finding(
    category: str, kind: str, name: str, expected: t.Any = "", actual: t.Any = "", why: str = "", remedy: str = ""
) -> Finding:
    """Return a finding with the usual reason and remedy of its kind, where it has no own ones."""
    reason = why or (_WHY_STALE.get(kind) if category == STALE else None) or _WHY[kind]
    cure = remedy or (_AWAY if category == FOREIGN else DEPLOY)
    return Finding(category, kind, name, shown(expected), shown(actual), reason, cure)


def shown(value: t.Any) -> str:
    """Return plain data as a short text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(item)}" for key, item in sorted(value.items())) or "there"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def of_change(change: Change, kind: str = "") -> Finding:
    """Return what a change that an applier would make says of the host: create is missing, delete is stale."""
    before, after = change.before, change.after
    if isinstance(before, str) and isinstance(after, str) and ("\n" in before or "\n" in after):
        after, before = first_difference(after, before)
    elif "\n" in f"{before}{after}":
        before, after = ("there" if before is not None else ""), ("there" if after is not None else "")
    expected, actual = ("" if side is None else side for side in (after, before))
    return finding(_OF_ACTION[change.action], kind or change.kind, change.name, expected, actual)


def first_difference(expected: str, actual: str) -> tuple[str, str]:
    """Return the first line that differs, with its number, of two texts."""
    lines = expected.splitlines(), actual.splitlines()
    place = next((n for n, pair in enumerate(zip(*lines)) if pair[0] != pair[1]), min(len(lines[0]), len(lines[1])))
    return tuple(f"line {place + 1}: {_line(side, place)}" for side in lines)  # type: ignore[return-value]


def _line(lines: t.Sequence[str], place: int) -> str:
    return lines[place].strip() if place < len(lines) else "the end"


def guarded(kind: str, look: t.Callable[[], t.Iterable[Finding]]) -> list[Finding]:
    """Return what a look finds; what stops it is a finding, too, so that the other looks go on."""
    found: list[Finding] = []
    try:
        found.extend(look())  # what came before an error is kept
    except PodnetError as error:
        category = FOREIGN if isinstance(error, Conflict) else WRONG
        found.append(finding(category, kind, kind, actual=error.message, remedy=error.remedy))
    return found


def facts(findings: t.Sequence[Finding]) -> dict[str, t.Any]:
    """Return findings as data for a module's result: all of them, how many by category, and whether there are none."""
    ordered = sorted(findings, key=lambda each: (CATEGORIES.index(each.category), each.kind, each.name))
    counts = {category: sum(each.category == category for each in ordered) for category in CATEGORIES}
    return {"findings": [each._asdict() for each in ordered], "counts": counts, "clean": not ordered}
