# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that the datastore holds, and the one way to bring any document into canonical form."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources import ipam
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_filter import BGPFilter
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
from ansible_collections.podnet.calico.plugins.module_utils.resources.felix_configuration import (
    check_cluster,
    check_felix,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.resources.kept import KeptKind
from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import API_VERSION

API_VERSIONS = (API_VERSION, "crd.projectcalico.org/v1")


class Model(t.Protocol):
    """An object that was found right."""

    @property
    def name(self) -> str:
        """Return the object's name."""

    def to_document(self) -> dict[str, t.Any]:
        """Return the canonical document."""


class Reader(t.Protocol):
    """What reads documents of a kind."""

    def from_document(self, document: t.Mapping[str, t.Any]) -> Model:
        """Return the validated object, or raise InvalidInput with everything that is wrong."""


KINDS: dict[str, tuple[str, Reader]] = {
    "ClusterInformation": ("clusterinformations", KeptKind("ClusterInformation", check_cluster)),
    "FelixConfiguration": ("felixconfigurations", KeptKind("FelixConfiguration", check_felix)),
    "BGPConfiguration": ("bgpconfigurations", BGPConfiguration),
    "IPAMConfiguration": ("ipamconfigurations", KeptKind("IPAMConfiguration", ipam.check_configuration)),
    "IPPool": ("ippools", IPPool),
    "IPReservation": ("ipreservations", KeptKind("IPReservation", ipam.check_reservation)),
    "BGPFilter": ("bgpfilters", BGPFilter),
    "Node": ("nodes", Node),
    "BGPPeer": ("bgppeers", BGPPeer),
    "BlockAffinity": ("blockaffinities", KeptKind("BlockAffinity", ipam.check_affinity)),
    "IPAMBlock": ("ipamblocks", KeptKind("IPAMBlock", ipam.check_block)),
    "IPAMHandle": ("ipamhandles", KeptKind("IPAMHandle", ipam.check_handle)),
}
"""By kind: the lower-case plural, and the model.

The order is the one in which objects are created: what others refer to comes first.
"""


def plural(kind: str) -> str:
    """Return the lower-case plural of a kind, or raise InvalidInput for an unknown one."""
    if kind not in KINDS:
        raise unknown_kind(kind)
    return KINDS[kind][0]


def unknown_kind(kind: t.Any) -> InvalidInput:
    """Return the error for a kind that the datastore does not hold, naming the nearest one that it does."""
    if kind is None:
        return InvalidInput("A document has no kind", remedy=f"Kinds are {', '.join(KINDS)}")
    near = difflib.get_close_matches(str(kind), KINDS, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Kinds are {', '.join(KINDS)}"
    return InvalidInput(f'kind "{kind}" is not managed by this collection', remedy=remedy, kind_given=str(kind))


def normalise(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the canonical form of a document: validated, defaults filled in, one spelling of every value.

    The canonical form of a canonical document is itself. Raises InvalidInput for an unknown kind or API version,
    and with everything that is wrong in the document.
    """
    if not isinstance(document, t.Mapping):
        raise InvalidInput(
            f"A document is a {type(document).__name__}", remedy="Give mappings with kind, metadata, spec"
        )
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise unknown_kind(kind)
    if document.get("apiVersion") not in API_VERSIONS:
        name = (document.get("metadata") or {}).get("name", "")
        message = f'{kind} "{name}": apiVersion "{document.get("apiVersion")}" is not known'
        raise InvalidInput(message, remedy=f"Use {' or '.join(API_VERSIONS)}")
    return KINDS[kind][1].from_document(document).to_document()
