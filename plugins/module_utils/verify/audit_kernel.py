# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's part of an audit: sysctls, tunnels with their tables, routes, outgoing NAT. Reads only."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard, nat, sysctls, tunnels
from ansible_collections.podnet.calico.plugins.module_utils.persist import keep, restore
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import (
    FOREIGN,
    MISSING,
    STALE,
    WRONG,
    Finding,
    finding,
    of_change,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

Plan = t.Mapping[str, t.Any]
_TABLES = {"neighbours": "neighbour", "fdb": "fdb"}


def of_sysctls(plan: Plan) -> t.Iterator[Finding]:
    """Yield what differs in the running kernel and in the file for its next start."""
    wanted = {name: str(value) for name, value in plan["requirements"]["sysctls"].items()}
    there = sysctls.read(wanted)
    for name in sorted(set(wanted) - set(there)):
        yield finding(MISSING, "sysctl", name, wanted[name], remedy="Load the kernel module that provides it")
    existing = {name: value for name, value in wanted.items() if name in there}
    for change in sysctls.ensure(existing, state="present", check_mode=True).changes:
        yield of_change(change)


def of_tunnels(netlink: Netlink, plan: Plan, checksum_offload: bool | None) -> t.Iterator[Finding]:
    """Yield what differs in tunnel devices, their addresses and attributes, neighbours and forwarding entries."""
    wanted = tunnels.wanted_of(plan["tunnels"], checksum_offload)
    actual = tunnels.read(netlink, wanted)
    for name, entry in wanted.items():
        try:
            changes = tunnels.plan({name: actual[name]} if name in actual else {}, {name: entry})
        except Conflict as conflict:
            yield finding(FOREIGN, "tunnel", name, entry["kind"], actual[name]["kind"], remedy=conflict.remedy)
            continue
        for change in changes:
            yield from of_tunnel(change)
    for name, entry in sorted(actual.items()):
        if entry["ours"] and name not in wanted:
            yield finding(STALE, "tunnel", name, "", _attributes(entry))


def of_tunnel(change: Change) -> t.Iterator[Finding]:
    """Yield what the change of one tunnel consists of: its device, and each entry of its tables."""
    before, after = change.before or {}, change.after or {}
    if change.action == "create":
        yield finding(MISSING, "tunnel", change.name, _attributes(after))
        return
    if "ours" in before:
        yield finding(
            FOREIGN, "tunnel", change.name, "a device of ours", "one without our mark", "somebody else may change it"
            " at any time, and reset leaves it", "Remove it, or run podnet.calico.deploy, which makes it ours"
        )  # fmt: skip
    fields = [field for field in sorted({*before, *after}) if field not in ("ours", "device", "up", *_TABLES)]
    differing = [field for field in fields if before.get(field) != after.get(field)]
    if differing or "up" in before:
        expected, actual = ({field: side.get(field, "none") for field in differing} for side in (after, before))
        state = [{"state": word} if "up" in before else {} for word in ("up", "down")]
        yield finding(WRONG, "tunnel", change.name, {**expected, **state[0]}, {**actual, **state[1]})
    for table, kind in _TABLES.items():
        yield from _entries(kind, change.name, after.get(table) or {}, before.get(table) or {})


def _attributes(entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    hidden = ("up", "ours", "learning", "checksum_offload", *_TABLES)
    return {key: value for key, value in entry.items() if key not in hidden and value}


def _entries(kind: str, device: str, expected: t.Mapping[str, str], actual: t.Mapping[str, str]) -> t.Iterator[Finding]:
    for key in sorted({*expected, *actual}):
        if expected.get(key) == actual.get(key):
            continue
        category = WRONG if key in expected and key in actual else MISSING if key in expected else STALE
        yield finding(category, kind, f"{key} dev {device}", expected.get(key, ""), actual.get(key, ""))


def of_nat(plan: Plan) -> list[Finding]:
    """Return what differs in our nftables table; where the table itself is missing or surplus, that alone."""
    guarding = guard.parse(guard.of_plan(plan))
    changes = list(nat.ensure(nat.parse(nat.of_plan(plan)), guarding, check_mode=True).changes)
    whole = [change for change in changes if change.name.startswith("table ")]
    return [of_change(change) for change in whole or changes]


def of_persisted(plan: Plan, checksum_offload: bool | None) -> list[Finding]:
    """Return what differs in the files and the unit by which all of it comes back after a reboot."""
    boot = restore.of_plan(plan, checksum_offload)
    return [of_change(change) for change in keep.ensure(*boot, check_mode=True).changes]
