# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be asked of Azure so that a mode works, and how to take it back; pure.

That IP forwarding of a NIC was off is noted in a tag of ours. Azure writes a NIC as a whole: note and change are one.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Machine, Step
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

# Names of tags have no slash in Azure.
TAG = "podnet.calico.ip-forwarding"
WAS_OFF = "off"
_MACHINE = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/[^/]+/providers/microsoft\.compute/virtualmachines/[^/]+", re.IGNORECASE
)


class Nic(t.NamedTuple):
    """A NIC. id, machine: ids of Azure's resources in lower case, for their case means nothing. ours: has our tag."""

    id: str
    machine: str
    addresses: tuple[str, ...]
    forwarding: bool
    ours: bool

    @property
    def words(self) -> str:
        """Return what a person calls it."""
        return f"{self.id.rpartition('/')[2]} of {self.machine.rpartition('/')[2]}"


def by_subscription(machines: t.Sequence[Machine]) -> dict[str, list[Machine]]:
    """Return the machines by subscription, all in lower case; raise InvalidInput for what is no id of a machine."""
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        name = _MACHINE.fullmatch(machine.id)
        if not name:
            raise InvalidInput(
                f"machines: {machine.id!r} is no resource id of a virtual machine",
                remedy="Give one as `az vm show --query id` prints it, "
                "/subscriptions/…/resourceGroups/…/providers/Microsoft.Compute/virtualMachines/…",
            )
        found.setdefault(name[1].lower(), []).append(machine._replace(id=machine.id.lower()))
    return found


def switch_on(nics: t.Iterable[Nic]) -> list[Step]:
    """Return the steps that switch IP forwarding on wherever it is off, and note that it was."""
    return [_step(nic, on=True) for nic in nics if not nic.forwarding]


def restore(nics: t.Iterable[Nic]) -> list[Step]:
    """Return the steps that switch it off again where we have switched it on, and delete the note."""
    return [_step(nic, on=False) for nic in nics if nic.ours]


def _step(nic: Nic, *, on: bool) -> Step:
    def shown(forwarding: bool, noted: bool) -> dict[str, str]:
        return {"forwarding": "on" if forwarding else "off", **({TAG: WAS_OFF} if noted else {})}

    change = Change("IP forwarding", nic.words, shown(nic.forwarding, nic.ours), shown(on, on))
    return Step(change, "forward", {"nic": nic.id, "on": on})
