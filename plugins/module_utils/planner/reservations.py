# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks whose addresses nobody gets, by IPReservations."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.ip import contains, joined, overlaps, read_interface

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network


def reserved_networks(snapshot: Snapshot) -> list[Network]:
    """Return what all IPReservations keep back, joined."""
    return joined(
        [
            read_interface(text).network
            for (kind, __), document in snapshot.items()
            if kind == "IPReservation"
            for text in document["spec"].get("reservedCIDRs") or []
        ]
    )


def holder_of(network: Network, reserved: t.Iterable[Network]) -> Network | None:
    """Return the one of some joined networks in which a network lies wholly, None if there is none."""
    return next((each for each in reserved if contains(each, network)), None)


def within(network: Network, reserved: t.Iterable[Network]) -> list[Network]:
    """Return the parts of a network that lie in some networks."""
    return [network if contains(each, network) else each for each in reserved if overlaps(each, network)]
