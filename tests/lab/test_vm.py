# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of kind vm under a name of their own, one lab for all tests, which build on each other; IPIP for real."""

from __future__ import annotations

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
import vm_cache
from settings import CHECKOUT, Lab, LabError, Shape

LAB: t.Final = Lab(f"labvm{os.getpid()}")
LAB_PY: t.Final = Path(__file__).resolve().parent / "lab.py"
SHAPE: t.Final = Shape(3, "IPIPCrossSubnet", kind="vm")
WANTED: t.Final = ("--kind", "vm", "--nodes", "3", "--subnets", "2", "--encapsulation")
ADDRESSES: t.Final = {port.node: str(port.address.ip) for port in fabric.ports(SHAPE)}
FAR: t.Final = {("node1", "node2"), ("node2", "node1"), ("node2", "node3"), ("node3", "node2")}
ALL: t.Final = {(a, b) for a in ADDRESSES for b in ADDRESSES if a != b}
PACKET: t.Final = re.compile(r"IP (\S+) > (\S+): IP (10\.244\.\S+) > (10\.244\.\S+): ICMP echo (request|reply)")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def lab(*arguments: str, status: int = 0, environment: dict[str, str] | None = None) -> str:
    """Run lab.py, check its exit status and return what it prints."""
    values = os.environ | {"PODNET_LAB_NAME": LAB.name} | (environment or {})
    answer = subprocess.run(
        [sys.executable, str(LAB_PY), *arguments], env=values, capture_output=True, text=True, check=False
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def inside(node: str, command: str, status: int = 0) -> str:
    """Run a shell command in a node, check its exit status and return what it prints."""
    answer = subprocess.run(
        nodes.enter(LAB, node, "/bin/sh", "-c", command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def play(name: str, *arguments: str) -> str:
    """Run a playbook of the collection, which has to succeed, and return its output."""
    program = Path(sys.prefix, "bin", "ansible-playbook")
    command = [str(program), "-i", str(LAB.files / "inventory.yml"), f"podnet.calico.{name}", *arguments]
    answer = subprocess.run(
        command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def machine() -> dict[str, t.Any]:
    """Return what a lab could leave behind."""
    commands = (path.with_name("cmdline") for path in Path("/proc").glob("[0-9]*/stat"))
    return {
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if LAB.name in line],
        "namespaces": sorted(path.name for path in Path("/run/netns").glob(f"{LAB.name}-*")),
        "processes": [path for path in commands if _mentions_lab(path)],
        "folders": [path for path in (LAB.run_dir, LAB.disks) if path.exists()],
        "inventories": sorted(LAB.files.glob("inventory*")),
        "keys": (LAB.files / "ssh").exists(),
    }


def _mentions_lab(path: Path) -> bool:
    try:
        return f"/{LAB.name}-lab/".encode() in path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(autouse=True, scope="module")
def running() -> t.Iterator[None]:
    """Have three machines, two of them in one subnet, and leave nothing of them."""
    before = machine()
    lab("up", *WANTED, "IPIPCrossSubnet")
    yield
    assert lab("down") == "The lab is gone.\n"
    assert machine() == before
    shutil.rmtree(LAB.files)


def test_nodes_are_machines_of_their_own() -> None:
    asked = "hostname; cat /proc/1/comm; uname -r; cat /etc/machine-id; ip -4 -br addr show eth0"
    asked += "; systemctl is-system-running"
    told = {name: inside(name, asked).split() for name in ADDRESSES}
    assert [lines[:2] for lines in told.values()] == [[name, "systemd"] for name in ADDRESSES]
    assert {lines[2] for lines in told.values()}.isdisjoint({os.uname().release})
    assert len({lines[3] for lines in told.values()}) == 3
    assert [lines[6] for lines in told.values()] == [str(port.address) for port in fabric.ports(SHAPE)]
    assert {lines[-1] for lines in told.values()} == {"running"}


def test_a_router_lies_between_the_subnets_and_nothing_beyond() -> None:
    assert "ttl=63" in inside("node1", "ping -c 1 -W 5 node2")
    assert "ttl=64" in inside("node1", "ping -c 1 -W 5 node3")
    assert inside("node1", "ip route show default") == ""
    links = subprocess.run(["ip", "-n", LAB.fabric, "-j", "link"], capture_output=True, text=True, check=True).stdout
    assert {link["ifname"] for link in json.loads(links)} == {"lo", "br0", "br1", "p1", "p2", "p3"}
    shown = subprocess.run(["ip", "-4", "-j", "address"], capture_output=True, text=True, check=True).stdout
    for address in (each["local"] for link in json.loads(shown) for each in link["addr_info"]):
        if not address.startswith("127."):
            inside("node1", f"! ping -c 1 -W 1 {address}")


def test_guests_have_no_privileges_on_this_machine() -> None:
    for name in ADDRESSES:
        guest = nodes.process(LAB, name, "guest")
        assert guest is not None
        status = dict(line.split(":\t") for line in Path(f"/proc/{guest.pid}/status").read_text().splitlines())
        assert status["Uid"].split() == [str(vm.UID)] * 4
        assert {status[kind] for kind in ("CapEff", "CapPrm")} == {"0000000000000000"}
        assert status["NoNewPrivs"] == "1"
    # Some kernels have hostfs, by which root of a guest sees what the guest's user sees.
    stolen = inside("node1", "mount -t hostfs none /mnt -o hostfs=/; cat /mnt/etc/shadow; umount /mnt; true")
    assert "root:" not in stolen


@pytest.mark.parametrize(("encapsulation", "tunnelled"), [("IPIP", ALL), ("IPIPCrossSubnet", FAR)])
def test_pods_reach_each_other_over_ipip(encapsulation: str, tunnelled: set[tuple[str, str]]) -> None:
    assert "3 nodes already run; they are kept as they are." in lab("up", *WANTED, encapsulation)
    play("deploy")
    pairs, packets = _verified_and_captured()
    assert {(pair["source"], pair["target"]) for pair in pairs} == ALL
    assert all(pair["received"] == pair["sent"] > 0 for pair in pairs)
    assert {(pair["source"], pair["target"]) for pair in pairs if pair["encapsulation"] == "IPIP"} == tunnelled
    assert {pair["encapsulation"] for pair in pairs} <= {"IPIP", "None"}
    # The evidence of the wire: between exactly these hosts, IP protocol 4 carried pings of pods.
    outer = {(source, target) for source, target, *__ in packets}
    assert outer == {(ADDRESSES[source], ADDRESSES[target]) for source, target in tunnelled}
    for name in ADDRESSES:
        _check_routes(name, {ADDRESSES[target] for source, target in tunnelled if source == name})


def _verified_and_captured() -> tuple[list[dict[str, t.Any]], list[tuple[str, ...]]]:
    """Verify, and capture IP protocol 4 meanwhile on all ports of the fabric; return pairs and packets."""
    report = LAB.files / "verify.json"
    command = ["ip", "netns", "exec", LAB.fabric, "tcpdump", "-n", "-l", "-i", "any", "ip proto 4"]
    with (
        (LAB.files / "capture.txt").open("w") as seen,
        subprocess.Popen(command, stdout=seen, stderr=subprocess.PIPE, text=True) as capture,
    ):
        assert any("listening on" in line for line in capture.stderr or ())
        play("verify", "-e", f"calico_verify_report={report}")
        capture.terminate()
    return json.loads(report.read_text())["pairs"], PACKET.findall((LAB.files / "capture.txt").read_text())


def _check_routes(name: str, far: set[str]) -> None:
    """Compare a node's routes to blocks with the nodes that have to be reached through the tunnel."""
    shown = json.loads(inside(name, "ip -j route"))
    routes = [route for route in shown if route["dst"].startswith("10.244.") and "gateway" in route]
    assert {route["gateway"] for route in routes if route["dev"] == "tunl0" and "onlink" in route["flags"]} == far
    near = set(ADDRESSES.values()) - far - {ADDRESSES[name]}
    assert {route["gateway"] for route in routes if route["dev"] == "eth0"} == near
    (link,) = json.loads(inside(name, "ip -j -d link show tunl0"))
    assert (link["linkinfo"]["info_kind"], link["mtu"], "UP" in link["flags"]) == ("ipip", 1480, True)


def test_a_reboot_ends_all_processes_and_keeps_the_disk() -> None:
    before = inside("node1", "echo kept >/root/kept; cat /proc/sys/kernel/random/boot_id; touch /run/gone")
    assert lab("reboot", "node1") == "Rebooted node1.\n"
    after, kept = inside("node1", "cat /proc/sys/kernel/random/boot_id /root/kept; test ! -e /run/gone").split()
    assert kept == "kept"
    assert after != before.strip()
    assert "ttl=63" in inside("node2", "ping -c 1 -W 5 node1"), "it is plugged in again"


def test_a_power_cut_is_seen_and_keeps_what_was_synced() -> None:
    inside("node3", "echo synced >/root/synced; sync; dd if=/dev/zero of=/root/unfinished bs=64k count=64 2>/dev/null")
    assert lab("power-cut", "node3") == "node3 lost power.\n"
    assert "; dead: node3" in lab("status", status=1)
    assert "node3 does not run" in lab("exec", "node3", "true", status=1)
    assert lab("start", "node3", "node1") == "Started node3.\n"
    assert inside("node3", "cat /root/synced; systemctl is-system-running") == "synced\nrunning\n"
    assert "recovery" in (nodes.folder(LAB, "node3") / "console.log").read_text()
    assert ", all alive" in lab("status")


def test_a_node_that_switches_itself_off_is_off() -> None:
    inside("node2", "systemctl --no-block poweroff")
    guest = nodes.process(LAB, "node2")
    assert guest is not None
    nodes.await_end([guest])
    assert "; dead: node2" in lab("status", status=1)


BROKEN: t.Final = """\
#!/bin/sh
mkdir "$TMPDIR/tried" && { echo 'no such luck'; exit 1; }
exec {0} "$@"
"""


def test_a_start_that_fails_is_tried_once_more_with_its_console_kept() -> None:
    kernel = LAB.run_dir / "linux.uml"
    real = kernel.rename(kernel.with_name("linux.real"))
    kernel.write_text(BROKEN.replace("{0}", str(real)))
    kernel.chmod(0o755)
    said = lab("start", "node2")
    assert "node2 ended by itself; it is started once more" in said and "Started node2." in said
    assert "no such luck" in (nodes.folder(LAB, "node2") / "console-before.log").read_text()
    kernel.write_text("#!/bin/sh\necho no luck at all\n")
    lab("power-cut", "node2")
    failed = lab("start", "node2", status=1)
    assert "Starting node2 failed twice: it ended by itself" in failed and "no luck at all" in failed
    real.rename(kernel)


def test_a_damaged_kernel_in_the_cache_is_refused_by_name(tmp_path: Path) -> None:
    tar = tmp_path / "kernel-7.2.13-0123abcd.tar"
    part = tmp_path / "part"
    part.write_text("a kernel")
    vm_cache.seal(part, tar)
    tar.write_text("another kernel")
    other = {"PODNET_VM_CACHE": str(tmp_path), "PODNET_LAB_NAME": f"{LAB.name}x"}
    text = lab("up", *WANTED, "VXLAN", status=1, environment=other)
    assert f"{tar} is damaged: its SHA-256 is" in text
    tar.with_name(f"{tar.name}.sha256").unlink()
    assert f"{tar} has no checksum" in lab("up", *WANTED, "VXLAN", status=1, environment=other)
    assert not Path(f"/run/{LAB.name}x-lab").exists()
    (CHECKOUT / ".lab" / f"{LAB.name}x").rmdir()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["reboot", "node4"], "The lab has no node4; its nodes are node1, node2, node3."),
        (["up", "--kind", "kvm"], "KIND=kvm is not allowed: give one of netns, vm."),
        (["up", "--subnets", "3"], "SUBNETS=3 is not allowed: give 1 or 2."),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments: list[str], reason: str) -> None:
    assert reason in lab(*arguments, status=1)


def test_more_machines_than_there_is_memory_for_are_refused() -> None:
    with pytest.raises(LabError, match="1000000 nodes of kind vm need about"):
        vm.check_memory(Shape(1_000_000, "VXLAN"))
