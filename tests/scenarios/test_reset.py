# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reset takes away what is ours and nothing else, in both worlds, VXLAN and BIRD, and proves it by itself."""

from __future__ import annotations

import pytest
from snapshot import Snapshot, differences, take
from stage import Stage

# What other people have on a node, close to what is ours.
FOREIGN = """
ip route add 203.0.113.0/24 via 192.0.2.254 proto 99
ip route add blackhole 10.244.200.0/26 proto static
ip link add califoreign type veth peer name foreign
ip link add br-foreign type bridge
ip link set br-foreign up
ip netns add foreign
nft add table ip foreign
nft add chain ip foreign forward '{ type filter hook forward priority 0; }'
nft add rule ip foreign forward ip daddr 203.0.113.7 drop
mkdir -p /etc/cni/net.d /etc/podnet-calico/datastore
echo '{"cniVersion": "1.0.0", "name": "other", "plugins": []}' >/etc/cni/net.d/99-other.conflist
echo 'Call before you dig.' >/etc/podnet-calico/datastore/README
echo 'net.ipv4.conf.all.log_martians = 1' >/etc/sysctl.d/50-foreign.conf
echo '77 foreign' >/etc/iproute2/rt_protos.d/foreign.conf
"""

# A container engine that comes after the first deployment, and a stock BIRD that an administrator had before it.
LATER = """
ip link add docker0 type bridge
nft add table ip docker
"""
LATER_AWAY = "ip link del docker0; nft delete table ip docker"
STOCK_BIRD = "systemctl enable bird; systemctl start bird"
# What preflight mends.
STRICT = "sysctl -qw net.ipv4.conf.all.rp_filter=1"


@pytest.fixture(scope="module")
def before(stage: Stage) -> dict[str, Snapshot]:
    """Have two nodes, foreign things on the one with the datastore, one to mend on the other; return what they are."""
    stage.fresh(2)
    stage.ask("node1", FOREIGN)
    stage.ask("node2", f"{STOCK_BIRD}; {STRICT}")
    return take(stage)


def test_what_a_reset_leaves_fails_it_by_name_and_the_next_one_leaves_nothing(
    stage: Stage, before: dict[str, Snapshot]
) -> None:
    # Whether the nodes can carry pods, with all these things of others, is not the question.
    mended = stage.play("preflight", "--tags", "fix", "-e", "preflight_probe=false", "-e", "cloud_platform=metal")
    assert "node2: podnet.calico.preflight : Mend the host" in mended.changed
    assert stage.ask("node2", "sysctl -n net.ipv4.conf.eth0.rp_filter").strip() == "2"
    stage.succeed("deploy")
    (block,) = [line.split()[1] for line in stage.lines("node1", "ip route") if line.endswith("/26 proto podnet")]
    first, _, last = block.partition("/")[0].rpartition(".")
    endpoint = {"name": "demo.web-0", "addresses": [f"{first}.{int(last) + 5}"], "mtu": 1450}
    assert stage.module("node1", "calico_veth", endpoints=[endpoint])["changed"]
    assert "cali" in stage.ask("node1", "ip -o link show type veth | grep podnet.calico")
    stage.ask(
        "node2", "echo 1 >/etc/sysctl.d/91-podnet-calico.conf; ip route add 10.9.0.0/16 via 192.0.2.1 dev eth0 onlink"
    )
    played = stage.play("reset")
    assert played.status == 2
    assert "prove that the host is clean: 1 things" in played.output
    assert "file /etc/sysctl.d/91-podnet-calico.conf: there now" in played.output
    stage.ask("node2", "rm /etc/sysctl.d/91-podnet-calico.conf")
    assert "route 10.9.0.0/16 via 192.0.2.1 dev eth0 onlink proto 3: there now" in stage.succeed("reset").output
    stage.ask("node2", "ip route del 10.9.0.0/16")
    assert differences(before, take(stage)) == []


def test_deploy_works_again_and_one_reset_takes_birds_traces_too(stage: Stage, before: dict[str, Snapshot]) -> None:
    stage.up(2, "None")
    stage.succeed("deploy")
    assert "proto bird" in stage.ask("node2", "ip route")
    assert stage.ask("node2", "stat -c '%a %U' /var/lib/podnet-calico/before.json").split() == ["600", "root"]
    stage.ask("node1", LATER)
    played = stage.succeed("reset")
    assert played.changed
    assert "link docker0: there now bridge" in played.output
    assert "nft table ip docker: there now" in played.output
    stage.ask("node1", LATER_AWAY)
    assert differences(before, take(stage)) == []


def test_second_reset_finds_nothing(stage: Stage, before: dict[str, Snapshot]) -> None:
    assert stage.succeed("reset").changed == []
    assert differences(before, take(stage)) == []
