# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container runtime has of our networks."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import Network, build, render
from ansible_collections.podnet.calico.plugins.module_utils.cni.networks import leases, ranges_within

if t.TYPE_CHECKING:
    from pathlib import Path

PTP = Network("podnet", "1.0.0", ("10.244.0.0/26", "10.245.0.0/26", "fd00::/122"), 1430)


def test_ranges_of_our_networks_alone(tmp_path: Path) -> None:
    (tmp_path / "10-podnet-calico.conflist").write_text(render(build(PTP)))
    (tmp_path / "20-other.conflist").write_text(render(build(PTP._replace(ranges=("10.244.0.64/26",)))))
    (tmp_path / "30-podnet-calico.conflist").write_text("no description")
    for cidr, found in {"10.244.0.0/16": ["10.244.0.0/26"], "fd00::/64": ["fd00::/122"], "10.9.0.0/16": []}.items():
        assert ranges_within(str(tmp_path), [ipaddress.ip_network(cidr)]) == found
    assert ranges_within(str(tmp_path / "none"), [ipaddress.ip_network("10.244.0.0/16")]) == []


def test_leases_by_address(tmp_path: Path) -> None:
    folder = tmp_path / "podnet-calico"
    folder.mkdir()
    notes = {
        "10.244.0.2": "0123456789abcdef\r\neth0",
        "fd00::2": "fedcba\r\neth0",
        "lock": "",
        "last_reserved_ip.0": "1",
    }
    for name, text in notes.items():
        (folder / name).write_text(text)
    assert leases(str(tmp_path)) == {"10.244.0.2": "container 0123456789ab", "fd00::2": "container fedcba"}
    assert leases(str(tmp_path / "none")) == {}
    assert [len(leases(str(tmp_path), name)) for name in ("podnet-calico", "podnet", "*")] == [2, 0, 0]
