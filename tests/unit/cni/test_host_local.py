# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses host-local may give: never one that is excluded, and all others that it gives of a block."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import host_local
from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import Network, build

HERE = Path(__file__).resolve().parents[3]
PLUGINS = [Path("/usr/lib/cni/host-local"), *sorted((HERE / ".cache/cni").glob("*/host-local"))]
FOUR, SIX = "10.0.0.0/28", "fd00::/124"

CASES: dict[str, tuple[str, list[str], list[dict[str, str]]]] = {
    "nothing": (FOUR, [], [{}]),
    "what it never gives": (FOUR, ["10.0.0.0/31", "10.0.0.15/32"], [{}]),
    "in other blocks": (FOUR, ["10.0.0.16/28", "fd00::/64"], [{}]),
    "in the middle": (FOUR, ["10.0.0.8/31"], [{"rangeEnd": "10.0.0.7"}, {"rangeStart": "10.0.0.10"}]),
    "at both ends": (FOUR, ["10.0.0.0/30", "10.0.0.12/30"], [{"rangeStart": "10.0.0.4", "rangeEnd": "10.0.0.11"}]),
    "all but one": (
        FOUR,
        ["10.0.0.8/29", "10.0.0.0/30", "10.0.0.4/31", "10.0.0.7/32"],
        [{"rangeStart": "10.0.0.6", "rangeEnd": "10.0.0.6"}],
    ),
    "all that it gives": (FOUR, ["10.0.0.0/29", "10.0.0.8/30", "10.0.0.12/31", "10.0.0.14/32"], []),
    "more than the block": (FOUR, ["10.0.0.0/24"], []),
    "the last address of IPv6, which it gives": (SIX, ["fd00::f/128"], [{"rangeEnd": "fd00::e"}]),
    "a subnet that it refuses": ("10.0.0.4/31", ["10.0.0.4/32"], [{}]),
}


@pytest.mark.parametrize(("block", "excluded", "expected"), CASES.values(), ids=CASES)
def test_ranges(block: str, excluded: list[str], expected: list[dict[str, str]]) -> None:
    found = host_local.ranges(ipaddress.ip_network(block), [ipaddress.ip_network(each) for each in excluded])
    assert found == [{"subnet": block, **each} for each in expected]


def given(plugin: Path, network: Network, folder: Path) -> list[str]:
    """Return all addresses that the plugin gives, until it has no more."""
    ipam = {**build(network)["plugins"][0]["ipam"], "dataDir": str(folder)}
    configuration = json.dumps({"cniVersion": "1.0.0", "name": "x", "type": "ptp", "ipam": ipam})
    found: list[str] = []
    while True:
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": f"c{len(found)}", "CNI_NETNS": "/x"}
        environment.update({"CNI_IFNAME": "eth0", "CNI_PATH": "/"})
        answer = subprocess.run(
            [plugin], input=configuration, env=environment, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            assert "no IP addresses available" in answer.stdout
            return found
        found += [each["address"].partition("/")[0] for each in json.loads(answer.stdout)["ips"]]


@pytest.mark.parametrize("plugin", PLUGINS, ids=[path.parent.name for path in PLUGINS])
@pytest.mark.parametrize(
    "case", sorted(set(CASES) - {"all that it gives", "more than the block", "a subnet that it refuses"})
)
def test_the_plugin_gives_all_others(case: str, plugin: Path, tmp_path: Path) -> None:
    if not os.access(plugin, os.X_OK):
        pytest.skip(f"{plugin} is not installed")
    block, excluded, __ = CASES[case]
    network = ipaddress.ip_network(block)
    never = {network[0], network[1], *([network[-1]] if network.version == 4 else [])}
    kept: t.Any = [ipaddress.ip_network(each) for each in excluded]
    expected = [
        str(address) for address in network if address not in never and not any(address in each for each in kept)
    ]
    assert given(plugin, Network("x", "1.0.0", (block,), 1500, excluded=tuple(excluded)), tmp_path) == expected


def test_a_family_without_any_address_has_no_range() -> None:
    network = Network("x", "1.0.0", (FOUR, SIX), 1500, excluded=(FOUR,))
    assert build(network)["plugins"][0]["ipam"]["ranges"] == [[{"subnet": SIX}]]
