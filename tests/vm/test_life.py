# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of three machines, from their first boot to clean hosts: each test takes them as the one before left them.

Two subnets, node1 and node3 in the first, with a router between them. IPIP is real, also where this machine has none;
with IPIPCrossSubnet it is on some paths and not on others. The other modes, and the changes between all of them under
pings, are proven at night by the Molecule scenario nightly-matrix.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import fabric
import nodes
import pytest
import vm
from forgery import End, delivered
from machines import OPTIONS, Machines, Pair
from pod_pings import POD, make_pods
from settings import Lab, Shape

LAB: t.Final = Lab(f"life{os.getpid()}")
LAB_PY: t.Final = Path(vm.__file__).with_name("lab.py")
SHAPE: t.Final = Shape(3, "IPIPCrossSubnet", kind="vm", wanted_subnets=2, router=True)
ADDRESSES: t.Final = {port.node: str(port.address.ip) for port in fabric.ports(SHAPE)}
FAR: t.Final = {("node1", "node2"), ("node2", "node1"), ("node2", "node3"), ("node3", "node2")}
ALL: t.Final = {(a, b) for a in ADDRESSES for b in ADDRESSES if a != b}


def lab(*arguments: str, status: int = 0) -> str:
    """Run lab.py, check its exit status and return what it prints."""
    answer = subprocess.run(
        [sys.executable, str(LAB_PY), *arguments],
        env=os.environ | {"PODNET_LAB_NAME": LAB.name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def traces() -> dict[str, t.Any]:
    """Return what a lab could leave behind."""
    mark = re.compile(rf"/{LAB.name}-")
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark.search(_text(path))]
    return {
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if mark.search(line)],
        "namespaces": sorted(path.name for path in Path("/run/netns").glob(f"{LAB.name}-*")),
        "processes": processes,
        "folders": [path for path in (LAB.run_dir, LAB.disks, LAB.files / "ssh") if path.exists()],
        "inventories": sorted(LAB.files.glob("inventory*")),
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture(scope="module")
def machines() -> t.Iterator[Machines]:
    """Have three machines, and leave nothing of them."""
    before = traces()
    found = Machines(LAB.name)
    try:
        found.stage.up(3, SHAPE.encapsulation, options=OPTIONS)
        yield found
    finally:
        said, after = lab("down"), traces()
        shutil.rmtree(LAB.files)
    assert said == "The lab is gone.\n"
    assert after == before


def test_nodes_are_machines_of_their_own(machines: Machines) -> None:
    asked = "hostname; cat /proc/1/comm; uname -r; cat /etc/machine-id; ip -4 -br addr show eth0"
    asked += "; systemctl is-system-running"
    told = {name: machines.stage.ask(name, asked).split() for name in ADDRESSES}
    assert [lines[:2] for lines in told.values()] == [[name, "systemd"] for name in ADDRESSES]
    assert {lines[2] for lines in told.values()}.isdisjoint({os.uname().release})
    assert len({lines[3] for lines in told.values()}) == 3
    assert [lines[6] for lines in told.values()] == [str(port.address) for port in fabric.ports(SHAPE)]
    assert {lines[-1] for lines in told.values()} == {"running"}


def test_a_router_lies_between_the_subnets_and_nothing_beyond(machines: Machines) -> None:
    ask = machines.stage.ask
    assert "ttl=63" in ask("node1", "ping -c 1 -W 5 node2")
    assert "ttl=64" in ask("node1", "ping -c 1 -W 5 node3")
    assert ask("node1", "ip route show default") == ""
    links = subprocess.run(["ip", "-n", LAB.fabric, "-j", "link"], capture_output=True, text=True, check=True).stdout
    assert {link["ifname"] for link in json.loads(links)} == {"lo", "br0", "br1", "p1", "p2", "p3"}
    shown = subprocess.run(["ip", "-4", "-j", "address"], capture_output=True, text=True, check=True).stdout
    for address in (each["local"] for link in json.loads(shown) for each in link["addr_info"]):
        if not address.startswith("127."):
            ask("node1", f"! ping -c 1 -W 1 {address}")


def test_guests_have_no_privileges_on_this_machine(machines: Machines) -> None:
    for name in ADDRESSES:
        guest = nodes.process(LAB, name, "guest")
        assert guest is not None
        status = dict(line.split(":\t") for line in Path(f"/proc/{guest.pid}/status").read_text().splitlines())
        assert status["Uid"].split() == [str(vm.UID)] * 4
        assert {status[kind] for kind in ("CapEff", "CapPrm")} == {"0000000000000000"}
        assert status["NoNewPrivs"] == "1"
    # Some kernels have hostfs, by which root of a guest sees what the guest's user sees.
    stolen = machines.stage.ask(
        "node1", "mount -t hostfs none /mnt -o hostfs=/; cat /mnt/etc/shadow; umount /mnt; true"
    )
    assert "root:" not in stolen


def test_commands_for_other_nodes_are_refused_by_name(machines: Machines) -> None:
    assert "The lab has no node4; its nodes are node1, node2, node3." in lab("reboot", "node4", status=1)


def test_pods_of_other_subnets_are_reached_over_ipip(machines: Machines) -> None:
    machines.stage.succeed("deploy")
    with machines.wire() as seen:
        carried = machines.encapsulations()
    _check_ipip(machines, FAR, carried, seen)
    assert machines.audit() == {}


def test_nothing_forged_is_delivered_and_no_pod_gets_the_tunnel(machines: Machines) -> None:
    """Neither by IPIP nor directly; after a pod has sent packets of that protocol, those of the nodes still arrive."""
    pods = make_pods(machines.stage)
    ends = {name: End(name, POD, address) for name, address in pods.items()}
    beside = str(ipaddress.ip_address(pods["node1"]) + 1)
    for name in ("node2", "node3"):
        assert (name, delivered(machines.stage, ends["node1"], ends[name], beside)) == (name, [])
    for one, other in itertools.permutations(pods, 2):
        machines.stage.ask(one, f"ip netns exec {POD} ping -c 2 -i 0.2 -W 5 {pods[other]}")
    machines.stage.modules("calico_veth", {name: {"endpoints": [{"name": POD}], "state": "absent"} for name in pods})


def _check_ipip(machines: Machines, tunnelled: set[Pair], carried: dict[Pair, str], seen: set[Pair]) -> None:
    """Compare what verify and the wire say, and the routes: between these nodes IPIP is used, and no others."""
    assert carried == {pair: "IPIP" if pair in tunnelled else "None" for pair in ALL}
    assert seen == {(ADDRESSES[source], ADDRESSES[target]) for source, target in tunnelled}
    for name in ADDRESSES:
        _check_routes(machines, name, {ADDRESSES[target] for source, target in tunnelled if source == name})


def _check_routes(machines: Machines, name: str, far: set[str]) -> None:
    """Compare a node's routes to blocks with the nodes that have to be reached through the tunnel."""
    shown = json.loads(machines.stage.ask(name, "ip -j route"))
    routes = [route for route in shown if route["dst"].startswith("10.244.") and "gateway" in route]
    assert {route["gateway"] for route in routes if route["dev"] == "tunl0" and "onlink" in route["flags"]} == far
    near = set(ADDRESSES.values()) - far - {ADDRESSES[name]}
    assert {route["gateway"] for route in routes if route["dev"] == "eth0"} == near
    (link,) = json.loads(machines.stage.ask(name, "ip -j -d link show tunl0"))
    assert (link["linkinfo"]["info_kind"], link["mtu"], "UP" in link["flags"]) == ("ipip", 1480, True)


def test_a_node_that_reboots_comes_back_by_itself(machines: Machines) -> None:
    network = machines.shown("node2")
    booted = machines.stage.ask("node2", "echo kept >/root/kept; touch /run/gone; cat /proc/sys/kernel/random/boot_id")
    assert lab("reboot", "node2") == "Rebooted node2.\n"
    assert machines.encapsulations() == {pair: "IPIP" if pair in FAR else "None" for pair in ALL}
    assert machines.shown("node2") == network, "which the audit has found nothing in"
    again = machines.stage.ask("node2", "cat /root/kept; test ! -e /run/gone && cat /proc/sys/kernel/random/boot_id")
    assert again.splitlines()[0] == "kept"
    assert again.splitlines()[1] != booted.strip()


def test_a_power_cut_within_a_deployment_is_repaired_by_the_next_one(machines: Machines) -> None:
    unfinished = "dd if=/dev/zero of=/root/unfinished bs=64k count=64 2>/dev/null"
    machines.stage.ask("node3", f"echo synced >/root/synced; sync; {unfinished}")
    machines.cut_within_deploy("node3", "VXLAN", "Configure the data path")
    assert "; dead: node3" in lab("status", status=1)
    assert "node3 does not run" in lab("exec", "node3", "true", status=1)
    assert lab("start", "node3", "node1") == "Started node3.\n"
    assert machines.stage.ask("node3", "cat /root/synced; systemctl is-system-running") == "synced\nrunning\n"
    assert "recovery" in (nodes.folder(LAB, "node3") / "console.log").read_text()
    assert ", all alive" in lab("status")
    assert any(changed.startswith("node3: ") for changed in machines.stage.succeed("deploy").changed)
    assert machines.encapsulations() == dict.fromkeys(ALL, "VXLAN")
    assert machines.audit() == {}


def test_reset_leaves_clean_hosts_now_and_after_a_boot(machines: Machines) -> None:
    machines.stage.succeed("reset")
    machines.stage.do("reboot", "node1")
    for name in machines.names:
        machines.check_clean(name)


def test_a_node_that_switches_itself_off_is_off(machines: Machines) -> None:
    machines.stage.ask("node2", "systemctl --no-block poweroff")
    guest = nodes.process(LAB, "node2")
    assert guest is not None
    nodes.await_end([guest])
    assert "; dead: node2" in lab("status", status=1)


BROKEN: t.Final = """\
#!/bin/sh
mkdir "$TMPDIR/tried" && { echo 'no such luck'; exit 1; }
exec {0} "$@"
"""


def test_a_first_start_that_fails_is_told_and_tried_once_more_and_no_other_is(machines: Machines) -> None:
    kernel = LAB.run_dir / "linux.uml"
    real = kernel.rename(kernel.with_name("linux.real"))
    kernel.write_text(BROKEN.replace("{0}", str(real)))
    kernel.chmod(0o755)
    said: list[str] = []
    vm.first_start(LAB, ["node2"], said.append)
    assert len(said) == 1 and said[0].startswith("node2 ended by itself; it is started once more")
    assert "no such luck" in (nodes.folder(LAB, "node2") / "console-before.log").read_text()
    assert machines.stage.ask("node2", "hostname") == "node2\n"
    assert lab("power-cut", "node2") == "node2 lost power.\n"
    (LAB.run_dir / "memory" / "tried").rmdir()
    failed = lab("start", "node2", status=1)
    assert "Starting node2 failed: it ended by itself" in failed and "no such luck" in failed
    real.rename(kernel)
    assert lab("start", "node2") == "Started node2.\n"
