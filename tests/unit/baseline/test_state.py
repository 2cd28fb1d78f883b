# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which differences between two looks at a host are ours, and which are somebody else's."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.baseline.judge import differences, marks, ours

BEFORE: dict[str, dict[str, str]] = {
    "link": {"eth0": "veth up mtu 1500 02:00:00:00:00:01"},
    "route": {"192.0.2.0/24 dev eth0 scope link proto 2": ""},
    "file": {"/etc/cni": "755 0:0 folder"},
    "sysctl": {"net.ipv4.ip_forward": "0"},
    "service": {"bird": "inactive not-found"},
}
NOBODY, OURS, OTHERS = "nobody", "ours", "others"
# Section, name, text afterwards (None: gone), whose it is.
CASES: list[tuple[str, str, str | None, str]] = [
    ("link", "vxlan.calico", 'vxlan up mtu 1450 66:00:00:00:00:01 alias "podnet.calico tunnel" of podnet.calico', OURS),
    ("link", "vxlan.calico", "vxlan up mtu 1450 66:00:00:00:00:01", OURS),
    ("link", "x0", 'vxlan up mtu 1450 66:00:00:00:00:01 alias "podnet.calico tunnel" of podnet.calico', OURS),
    ("link", "cali0123456789a", "veth up mtu 1450 ee:ee:ee:ee:ee:ee", OURS),
    ("link", "califoreign", "veth up mtu 1450 ee:ee:ee:ee:ee:ee", OTHERS),
    ("link", "docker0", "bridge down mtu 1500 02:42:00:00:00:01", OTHERS),
    ("link", "eth0", "veth up mtu 9000 02:00:00:00:00:01", OTHERS),
    ("link", "tunl0", "ipip down mtu 1480 00:00:00:00", NOBODY),
    ("link", "tunl0", "ipip up mtu 1480 00:00:00:00", OURS),
    ("link", "tunl0", 'ipip down mtu 1480 00:00:00:00 alias "podnet.calico tunnel" of podnet.calico', OURS),
    ("address", "10.244.0.0/32 dev vxlan.calico", "", OURS),
    ("address", "192.0.2.50/24 dev eth0", "", OTHERS),
    ("route", "10.244.1.0/26 via 10.244.1.0 dev vxlan.calico onlink proto 4", "", OURS),
    ("route", "10.244.1.0/26 blackhole proto 98", "", OURS),
    ("route", "10.244.1.0/26 via 192.0.2.12 dev eth0 proto 12", "", OURS),
    ("route", "10.244.1.0/26 via 192.0.2.12 dev eth0 proto 4", "", OTHERS),
    ("route", "192.0.2.0/24 dev eth0 scope link proto 2", None, OTHERS),
    ("neighbour", "10.244.1.0 66:00:00:00:00:02 dev vxlan.calico", "", OURS),
    ("fdb", "192.0.2.12 66:00:00:00:00:02 dev vxlan0", "", OTHERS),
    ("nft", "table inet podnet_calico", "abc", OURS),
    ("nft", "table ip nat", "abc", OTHERS),
    ("file", "/etc/cni/net.d/10-podnet-calico.conflist", "644 0:0 file abc", OURS),
    ("file", "/etc/sysctl.d/x.conf", "644 0:0 file abc of podnet.calico", OURS),
    ("file", "/etc/cni/net.d/20-other.conflist", "644 0:0 file abc", OTHERS),
    ("file", "/etc/cni", None, OTHERS),
    ("sysctl", "net.ipv4.ip_forward", "1", OTHERS),
    ("service", "bird", "inactive disabled", NOBODY),
    ("service", "bird", "failed disabled", NOBODY),
    ("service", "bird", "failed enabled", OURS),
    ("service", "bird", "active enabled", OURS),
    ("rule", "100: from all lookup 7", "", OTHERS),
]


@pytest.mark.parametrize(("kind", "name", "after", "whose"), CASES, ids=lambda value: str(value)[:40])
def test_whose_a_difference_is(kind: str, name: str, after: str | None, whose: str) -> None:
    section = {**BEFORE.get(kind, {}), name: after}
    changed = {**BEFORE, kind: {key: text for key, text in section.items() if text is not None}}
    found = differences(BEFORE, changed)  # type: ignore[arg-type]
    assert [OURS if ours(each, BEFORE) else OTHERS for each in found] == ([] if whose == NOBODY else [whose])


def test_routes_of_a_bird_that_ran_before_are_not_ours() -> None:
    before: dict[str, dict[str, str]] = {"route": {"203.0.113.0/24 via 192.0.2.1 dev eth0 proto 12": ""}}
    (found,) = differences(before, {"route": {**before["route"], "203.0.113.0/25 via 192.0.2.1 proto 12": ""}})
    assert not ours(found, before)


def test_a_datastore_that_other_nodes_need_may_stay() -> None:
    paths = ("/etc/podnet-calico", "/etc/podnet-calico/datastore", "/etc/podnet-calico/datastore/ippools/a.yaml")
    after = {"file": dict.fromkeys((*paths, "/etc/podnet-calico/restore"), "644 0:0 file abc")}
    found = differences({}, after, ["/etc/podnet-calico/datastore"])
    assert [each.name for each in found] == ["/etc/podnet-calico/restore"]


def test_an_idle_tunl0_comes_and_goes_with_its_module() -> None:
    idle = {"link": {"tunl0": "ipip down mtu 1480 00:00:00:00"}}
    assert differences(idle, {}) == differences({}, idle) == []


NOTE = "/etc/podnet-calico/datastore/README"


@pytest.mark.parametrize(
    ("kind", "name", "text", "expected"),
    [
        ("nft", "table inet podnet_calico", "abc", ["nft table inet podnet_calico"]),
        ("nft", "table ip nat", "abc", []),
        ("route", "10.244.1.0/26 blackhole proto 98", "", ["route 10.244.1.0/26 blackhole proto 98"]),
        ("link", "vxlan.calico", 'vxlan up alias "podnet.calico tunnel" of podnet.calico', ["link vxlan.calico"]),
        (
            "file",
            "/etc/bird/podnet-calico.conf",
            "640 0:0 file a of podnet.calico",
            ["file /etc/bird/podnet-calico.conf"],
        ),
        ("file", NOTE, "644 0:0 file a", []),
    ],
)
def test_a_host_that_carries_marks_is_known(kind: str, name: str, text: str, expected: list[str]) -> None:
    taken = {"link": {}, "file": {}, "route": {}, "nft": {}, **BEFORE}
    assert marks({**taken, kind: {**taken[kind], name: text}}) == expected
