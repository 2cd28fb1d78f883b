# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads when something is refused, word by word."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput


def document(kind: str, name: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}


CASES = {
    "overlapping-pools": [
        document("IPPool", "main", cidr="10.244.0.0/16"),
        document("IPPool", "second", cidr="10.244.128.0/17"),
    ],
    "pool-smaller-than-block": [document("IPPool", "main", cidr="10.244.0.0/28")],
    "host-bits": [document("IPPool", "main", cidr="10.0.0.1/16")],
    "ipip-and-vxlan": [document("IPPool", "main", cidr="10.244.0.0/16", ipipMode="Always", vxlanMode="CrossSubnet")],
    "shared-node-address": [
        document("Node", "node1", bgp={"ipv4Address": "192.0.2.11/24"}),
        document("Node", "node2", bgp={"ipv4Address": "192.0.2.11/24"}),
    ],
    "selector-syntax": [document("IPPool", "main", cidr="10.244.0.0/16", nodeSelector="rack = 'r1'")],
    "several-problems": [
        document("IPPool", "main", cidr="10.0.0.1/16", natOutgoin=True),
        document("Node", "Node_1", bgp={"ipv4Address": "192.0.2.11/33"}),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_error_text(name: str, golden: t.Callable[[str, str], None]) -> None:
    with pytest.raises(InvalidInput) as caught:
        put({}, CASES[name])
    golden(f"errors/{name}.txt", str(caught.value))
