# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of calico_nat share: options, and the table as nft shows it."""

from __future__ import annotations

import json

from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result

NAT: Result = {
    "masquerade": ["10.244.0.0/16", "fd00:1::/64"],
    "pools": ["10.244.0.0/16", "10.245.0.0/16", "fd00:1::/64", "fd00:2::/64"],
    "tunnels": ["vxlan.calico"],
}
SMALL: Result = {"masquerade": ["10.244.0.0/16"], "pools": ["10.244.0.0/16"]}


def ruleset(host: Namespace) -> str:
    """Return all tables of a host, with handles."""
    return host.run("nft -a list ruleset").stdout


def table(host: Namespace) -> str:
    """Return the table of ours, without handles."""
    return host.run("nft list table inet podnet_calico").stdout


def handles(host: Namespace) -> dict[str, int]:
    """Return what the kernel calls all that is in the table of ours, by kind and name; rules by their comments."""
    listing = json.loads(host.run("nft -a -j list table inet podnet_calico").stdout)["nftables"]
    things = [(kind, data) for entry in listing for kind, data in entry.items() if kind != "metainfo"]
    return {f"{kind} {data.get('comment') or data.get('name')}": data["handle"] for kind, data in things}


def actions(result: Result) -> list[tuple[str, str]]:
    """Return the changes of a module's result as pairs of action and name."""
    return [(change["action"], change["name"]) for change in result["changes"]]
