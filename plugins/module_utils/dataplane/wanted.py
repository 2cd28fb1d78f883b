# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a node's plan that its kernel and its boot get, checked as a whole. Nothing is touched here."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard, nat, sysctls, tunnels
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.persist import restore

PARTS = ("device", "guard", "nat", "requirements", "routes", "standby", "tunnels", "underlay")
"""The parts of a NodePlan that are used."""

Listed = t.List[t.Dict[str, t.Any]]


class Wanted(t.NamedTuple):
    """What a node shall have: sysctls, tunnels and routes as their ensure functions take them, NAT, guard and boot."""

    sysctls: dict[str, str]
    tunnels: Listed
    routes: Listed
    nat: nat.Nat
    guarding: guard.Guard | None
    boot: restore.Boot


def of_plan(plan: t.Mapping[str, t.Any], *, exclusive: bool, checksum_offload: bool | None) -> Wanted:
    """Return what a node's whole plan asks for; raises InvalidInput for whatever its kernel or its boot could not have.

    exclusive: without the routes that stand by. checksum_offload: as calico_tunnel takes it.
    """
    routes = plan["routes"] if exclusive else [*plan["routes"], *plan["standby"]]
    needed = plan["requirements"]["sysctls"]
    sysctls.refuse_several_lines(needed)
    tunnels.wanted_of(plan["tunnels"], checksum_offload)
    parse(routes, Devices(unborn=True))
    return Wanted(
        needed,
        plan["tunnels"],
        routes,
        nat.parse(nat.of_plan(plan)),
        guard.parse(guard.of_plan(plan)),
        restore.of_plan(plan, checksum_offload),
    )
