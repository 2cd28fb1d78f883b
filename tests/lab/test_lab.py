# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab on this machine, under a name of its own, so that a user's lab goes on. Needs root and the lab's packages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import neighbours
import nodes
import pytest
import router
import testinfra
import testinfra_backend
import yaml
from settings import CHECKOUT, Lab, LabError, Shape, current_lab

LAB: t.Final = Lab(f"test{os.getpid()}")
LAB_PY: t.Final = Path(__file__).resolve().parent / "lab.py"
PROGRAMS: t.Final = Path(sys.prefix) / "bin"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def lab(*arguments: str, status: int = 0, environment: dict[str, str] | None = None) -> str:
    """Run lab.py, check its exit status and return what it prints."""
    values = os.environ | {"PODNET_LAB_NAME": LAB.name} | (environment or {})
    answer = subprocess.run(
        [sys.executable, str(LAB_PY), *arguments], env=values, capture_output=True, text=True, check=False
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def ansible(*arguments: str, inventory: str = "inventory.yml", before: t.Sequence[str] = ()) -> str:
    """Run an ad-hoc command on all nodes from the checkout and return its output."""
    command = [*before, str(PROGRAMS / "ansible"), "-i", str(LAB.files / inventory), "all", *arguments]
    answer = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def inside(node: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command inside a node."""
    return subprocess.run(
        nodes.enter(LAB, node, "/bin/sh", "-c", command), capture_output=True, text=True, check=False, timeout=60
    )


def machine() -> dict[str, t.Any]:
    """Return what a lab could leave behind; other programs make and remove namespaces, mounts and links meanwhile."""
    mark = f"/{LAB.name}-"
    links = subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout
    # The ends of the nodes' cables, which belong into namespaces.
    ours = re.compile(r"(p|eth)[0-9]+")
    return {
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if mark in line],
        "links": sorted(link["ifname"] for link in json.loads(links) if ours.fullmatch(link["ifname"])),
        "namespaces": sorted(path.name for path in Path("/run/netns").glob(f"{LAB.name}-*")),
        "room": neighbours.needs().get(LAB.name),
        "folder": LAB.run_dir.exists(),
        "inventories": sorted(LAB.files.glob("inventory*")),
        "processes": sorted(path for path in Path("/proc").glob("[0-9]*/cmdline") if _mentions_lab(path)),
    }


def _mentions_lab(path: Path) -> bool:
    try:
        return str(LAB.run_dir).encode() in path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(autouse=True, scope="module")
def _named_lab() -> t.Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PODNET_LAB_NAME", LAB.name)
        yield
        lab("down")
        shutil.rmtree(LAB.files)


@pytest.fixture
def three_nodes() -> None:
    """Have three nodes in one subnet, kept from the test before where they still run."""
    lab("up")


@pytest.mark.usefixtures("three_nodes")
def test_ansible_reaches_every_node() -> None:
    assert ansible("-m", "ansible.builtin.ping").count("pong") == 3


@pytest.mark.usefixtures("three_nodes")
def test_ansible_copies_in_and_out_following_the_links_of_the_node(tmp_path: Path) -> None:
    inside("node1", "ln -sfn /run/elsewhere /etc/elsewhere; mkdir -p /run/elsewhere")
    ansible("--limit", "node1", "-m", "ansible.builtin.copy", "-a", "content=inside dest=/etc/elsewhere/file")
    assert inside("node1", "cat /run/elsewhere/file").stdout == "inside"
    assert not Path("/run/elsewhere").exists()
    ansible("--limit", "node1", "-m", "ansible.builtin.shell", "-a", "touch relative-{{ inventory_hostname }}")
    assert inside("node1", "test -e /root/relative-node1").returncode == 0
    assert not Path("/root/relative-node1").exists()
    arguments = f"src=/etc/elsewhere/file dest={tmp_path}/ flat=true"
    ansible("--limit", "node1", "-m", "ansible.builtin.fetch", "-a", arguments)
    assert (tmp_path / "file").read_text() == "inside"


@pytest.mark.usefixtures("three_nodes")
def test_nodes_have_their_own_files_processes_and_names() -> None:
    inside("node1", "echo one >/etc/lab-test; sleep 300 >/dev/null 2>&1 &")
    assert not Path("/etc/lab-test").exists()
    assert inside("node2", "cat /etc/lab-test").returncode != 0
    assert "sleep 300" in inside("node1", "ps ax").stdout
    assert "sleep 300" not in inside("node2", "ps ax").stdout
    assert [inside(name, "hostname; cat /etc/hostname").stdout.split() for name in ("node1", "node3")] == [
        ["node1", "node1"],
        ["node3", "node3"],
    ]
    identities = {inside(name, "cat /etc/machine-id").stdout for name in ("node1", "node2", "node3")}
    assert len(identities) == 3


@pytest.mark.usefixtures("three_nodes")
def test_fresh_nodes_route_to_their_subnet_only_and_run_nothing() -> None:
    routes = inside("node2", "ip -4 route").stdout.splitlines()
    assert [route.strip() for route in routes] == ["192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.12"]
    assert inside("node2", "cat /proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    assert inside("node2", "pgrep -x bird").returncode == 1
    assert inside("node2", "ping -c 1 -W 10 node3").returncode == 0
    answer = subprocess.run(["ip", "-n", LAB.namespace("node2"), "-j", "addr"], capture_output=True, check=True)
    assert "192.0.2.12" in answer.stdout.decode()


@pytest.mark.usefixtures("three_nodes")
def test_orphans_that_end_leave_no_zombies() -> None:
    inside("node1", "sh -c 'sleep 0.05 & sleep 0.05 &'; while pgrep -f '^sleep 0.05'; do sleep 0.02; done")
    states = inside("node1", "ps -eo stat=,comm=").stdout.splitlines()
    assert states
    assert not [state for state in states if state.startswith("Z")]


BIRD_PLAY: t.Final = """\
- hosts: node1
  gather_facts: true
  tasks:
    - ansible.builtin.systemd_service: {name: bird, state: started, enabled: true, daemon_reload: true}
      register: first
    - ansible.builtin.systemd_service: {name: bird, state: started, enabled: true}
      register: again
    - ansible.builtin.service: {name: bird, state: started, enabled: true}
      register: generic
    - ansible.builtin.command: birdc show status
      register: running
    - ansible.builtin.systemd_service: {name: bird, state: reloaded}
    - ansible.builtin.service_facts:
    - ansible.builtin.systemd_service: {name: bird, state: stopped, enabled: false}
      register: last
    - ansible.builtin.systemd_service: {name: bird, state: stopped, enabled: false}
      register: last_again
    - ansible.builtin.command: pgrep -x bird
      register: left
      failed_when: left.rc != 1
    - ansible.builtin.assert:
        that:
          - first is changed and again is not changed and generic is not changed
          - "'Daemon is up and running' in running.stdout"
          - services['bird.service'].state == 'running' and services['bird.service'].status == 'enabled'
          - last is changed and last_again is not changed
          - ansible_facts.service_mgr == 'systemd'
"""


@pytest.mark.usefixtures("three_nodes")
def test_service_modules_manage_the_packaged_bird_service_idempotently(tmp_path: Path) -> None:
    play = tmp_path / "bird.yml"
    play.write_text(BIRD_PLAY)
    command = [str(PROGRAMS / "ansible-playbook"), "-i", str(LAB.files / "inventory.yml"), str(play)]
    answer = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.usefixtures("three_nodes")
def test_systemctl_reports_failures_as_the_real_one_does() -> None:
    folder = Path(f"/proc/{_pid('node2')}/root/etc/systemd/system")
    (folder / "failing.service").write_text(
        "[Service]\nExecStartPre=/bin/echo too bad\nExecStart=/bin/sh -c 'exit 7'\n"
    )
    failed = inside("node2", "systemctl start failing")
    assert failed.returncode == 1
    assert "status 7" in failed.stderr and "too bad" in failed.stderr
    assert inside("node2", "systemctl start no-such").returncode == 5
    assert inside("node2", "systemctl status no-such").returncode == 4
    assert inside("node2", "systemctl is-active bird").stdout == "inactive\n"
    assert inside("node2", "systemctl frobnicate bird").returncode == 1


@pytest.mark.usefixtures("three_nodes")
def test_oneshot_units_take_drop_ins_instances_and_links() -> None:
    folder = Path(f"/proc/{_pid('node2')}/root/etc/systemd/system")
    (folder / "once@.service").write_text(
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nEnvironment=WORD=first\n"
        "ExecStart=/bin/sh -c 'echo ${WORD} %i >/run/once'\n[Install]\nWantedBy=multi-user.target\n"
    )
    (folder / "once@.service.d").mkdir()
    (folder / "once@.service.d" / "word.conf").write_text("[Service]\nEnvironment=\nEnvironment=WORD=second\n")
    assert inside("node2", "systemctl enable --now once@a.service").returncode == 0
    assert inside("node2", "cat /run/once").stdout == "second a\n"
    assert inside("node2", "systemctl is-active once@a; systemctl is-enabled once@a").stdout == "active\nenabled\n"
    assert inside("node2", "systemctl disable --now once@a").returncode == 0
    assert inside("node2", "systemctl is-active once@a; systemctl is-enabled once@a").stdout == "inactive\ndisabled\n"


def _pid(node: str) -> int:
    found = nodes.process(LAB, node)
    assert found
    return found.pid


@pytest.mark.usefixtures("three_nodes")
def test_same_shape_is_kept_and_another_encapsulation_only_rewrites_the_inventory() -> None:
    before = _pid("node1")
    assert "3 nodes already run" in lab("up", "--encapsulation", "None")
    assert _pid("node1") == before
    assert 'encapsulation: "None"' in (LAB.files / "inventory.yml").read_text()


@pytest.mark.usefixtures("three_nodes")
def test_a_dead_node_is_noticed_and_replaced() -> None:
    os.kill(_pid("node2"), signal.SIGKILL)
    with pytest.raises(LabError, match="node2 does not run"):
        while nodes.enter(LAB, "node2", "true"):
            pass
    assert "dead: node2" in lab("status", status=1)
    assert "node2 no longer runs" in lab("up")
    assert inside("node2", "ping -c 1 -W 10 node1").returncode == 0


def test_cross_subnet_lab_routes_between_two_subnets() -> None:
    lab("up")
    text = lab("up", "--encapsulation", "VXLANCrossSubnet")
    assert "has 3 nodes in one subnet, wanted is 3 nodes in two subnets" in text
    assert "calico_node_address: 198.51.100.12/24" in (LAB.files / "inventory.yml").read_text()
    routes = inside("node1", "ip -4 route").stdout
    assert "198.51.100.0/24 via 192.0.2.254 dev eth0" in routes
    assert "default" not in routes
    reply = inside("node1", "ping -c 1 -W 10 node2").stdout
    assert "ttl=63" in reply, "one router lies between the subnets"
    assert "ttl=64" in inside("node1", "ping -c 1 -W 10 node3").stdout


def test_nodes_answer_ssh_with_keys_of_the_lab_only() -> None:
    lab("up", "--nodes", "2", "--ssh")
    from_fabric = ["ip", "netns", "exec", LAB.fabric]
    assert ansible("-m", "ansible.builtin.ping", inventory="inventory-ssh.yml", before=from_fabric).count("pong") == 2
    kept = LAB.files / "ssh" / "known_hosts"
    assert len({line.split()[2] for line in kept.read_text().splitlines()}) == 2, "each node has its own host key"
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={kept}", "-o", "IdentityFile=none"]
    answer = subprocess.run(
        [*from_fabric, "ssh", *options, "root@192.0.2.11", "true"], capture_output=True, text=True, check=False
    )
    assert "Permission denied (publickey)" in answer.stderr


def test_neighbour_table_gets_room_and_down_leaves_nothing_behind() -> None:
    lab("down")
    before = machine()
    assert before["namespaces"] == [] and before["processes"] == []
    lab("up", "--nodes", "24", "--ssh")
    assert inside("node24", "ping -c 1 -W 10 node1").returncode == 0
    assert machine()["room"] == neighbours.wanted(24)
    for version in ("ipv4", "ipv6"):
        limit = Path(f"/proc/sys/net/{version}/neigh/default/gc_thresh3")
        assert int(limit.read_text()) >= neighbours.wanted(24) + neighbours.MARGIN
    assert len(machine()["namespaces"]) == 25
    assert lab("down") == "The lab is gone.\n"
    assert machine() == before
    assert lab("down") == "No lab runs.\n"


def test_down_never_kills_a_process_that_took_over_a_recorded_pid() -> None:
    lab("up", "--nodes", "1")
    real = _pid("node1")
    with subprocess.Popen(["sleep", "300"]) as bystander:
        record = nodes.folder(LAB, "node1") / "pid"
        started = record.read_text().split()[1]
        record.write_text(f"{bystander.pid} {int(started) - 1}")
        try:
            assert nodes.dead(LAB, ["node1"]) == ["node1"]
            nodes.stop(LAB)
            assert bystander.poll() is None
        finally:
            record.write_text(f"{real} {started}")
            bystander.kill()
    lab("down")


def test_testinfra_sees_the_inside_of_a_node() -> None:
    lab("up", "--nodes", "1")
    testinfra_backend.register()
    host = testinfra.get_host("netns://node1")
    assert host.check_output("hostname") == "node1"
    assert host.interface("eth0").addresses[0] == "192.0.2.11"
    assert host.service("bird").is_running is False


def test_connection_plugin_says_that_the_lab_is_not_up() -> None:
    lab("up", "--nodes", "1")
    text = (LAB.files / "inventory.yml").read_text()
    lab("down")
    LAB.files.mkdir(exist_ok=True)
    kept = LAB.files / "inventory.yml"
    kept.write_text(text)
    command = [str(PROGRAMS / "ansible"), "-i", str(kept), "all", "-m", "ansible.builtin.ping"]
    answer = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    kept.unlink()
    assert answer.returncode != 0
    assert "Cannot enter lab node node1: it does not run" in answer.stdout + answer.stderr


def test_router_speaks_bgp_for_as_long_as_the_lab_lives() -> None:
    lab("up", "--nodes", "2", "--subnets", "2", "--encapsulation", "None", "--router")
    socket = LAB.run_dir / "router" / "bird.ctl"
    shown = subprocess.run(
        ["birdc", "-s", str(socket), "show", "protocols"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.count("Passive") == 2, "it waits for the nodes of both subnets"
    group = yaml.safe_load((LAB.files / "inventory.yml").read_text())["calico_nodes"]
    peers = [(peer["peer_ip"], peer["node_selector"]) for peer in group["vars"]["calico_bgp_peers"]]
    assert peers == [("192.0.2.254", "subnet == '0'"), ("198.51.100.254", "subnet == '1'")]
    assert [host["calico_node_labels"] for host in group["hosts"].values()] == [{"subnet": "0"}, {"subnet": "1"}]
    assert "all alive" in lab("status")
    router.stop(LAB)
    assert "; dead: the router" in lab("status", status=1)
    assert "the router no longer runs: building the lab anew" in lab("up", "--nodes", "2", "--subnets", "2", "--router")
    daemon = nodes.read_record(LAB.run_dir / "router" / "pid")
    assert daemon is not None and daemon.is_alive()
    lab("down")
    assert not daemon.is_alive()


STAND_IN_DEPLOY: t.Final = """\
- hosts: calico_nodes
  gather_facts: false
  tasks:
    - name: dataplane | Write a file
      ansible.builtin.copy: {content: wanted, dest: /etc/deployed, mode: "0644"}
    - name: dataplane | Fail on demand
      ansible.builtin.fail: {msg: the reason why}
      when: lookup('ansible.builtin.env', 'LAB_TEST_FAIL') == 'yes'
"""
STAND_IN_VERIFY: t.Final = """\
- hosts: calico_nodes
  gather_facts: false
  tasks:
    - name: verify | Report
      ansible.builtin.copy:
        dest: "{{ calico_verify_report }}"
        content: "{{ lookup('ansible.builtin.env', 'LAB_TEST_REPORT') }}"
        mode: "0644"
      delegate_to: localhost
      vars: {ansible_connection: local}
      run_once: true
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """Return a collections path whose podnet.calico has tiny playbooks of the right names."""
    playbooks = tmp_path / "ansible_collections" / "podnet" / "calico" / "playbooks"
    playbooks.mkdir(parents=True)
    (playbooks / "deploy.yml").write_text(STAND_IN_DEPLOY)
    (playbooks / "verify.yml").write_text(STAND_IN_VERIFY)
    return str(tmp_path)


def _report(*, ok: bool) -> str:
    times = {"min": 0.1, "avg": 0.25, "max": 0.4}
    pair = {"sent": 10, "received": 10 if ok else 0, "loss": 0.0 if ok else 1.0, "rtt_ms": times}
    names = [("node1", "node2"), ("node2", "node1")]
    pairs = [{"source": a, "target": b, "encapsulation": "VXLAN", **pair} for a, b in names]
    return json.dumps({"pairs": pairs, "ok": ok})


def test_run_deploys_verifies_and_tells_whether_anything_changed(stand_in: str) -> None:
    lab("down")
    environment = {"ANSIBLE_COLLECTIONS_PATH": stand_in, "LAB_TEST_REPORT": _report(ok=True)}
    first = lab("run", "--nodes", "2", environment=environment)
    assert "The deployment made 2 changes." in first
    assert "dataplane | Write a file" in first and "2 changed" in first
    assert "Fail on demand" not in first, "a task that all hosts skip is not worth a line"
    assert "0% 0.25 ms" in first and "VXLAN between all nodes" in first
    second = lab("run", "--nodes", "2", environment=environment)
    assert "2 nodes already run" in second
    assert "Nothing had to be changed: the network already was as wanted." in second
    assert "TASK [dataplane | Write a file]" in (LAB.files / "deploy.log").read_text()


def test_run_fails_when_verify_says_so_or_a_task_fails(stand_in: str) -> None:
    environment = {"ANSIBLE_COLLECTIONS_PATH": stand_in, "LAB_TEST_REPORT": _report(ok=False)}
    assert "NOT OK: 2 of 2 pairs lost packets." in lab("run", "--nodes", "2", status=1, environment=environment)
    failed = lab("run", "--nodes", "2", status=1, environment=environment | {"LAB_TEST_FAIL": "yes"})
    assert "podnet.calico.deploy failed" in failed
    assert "the reason why" in failed and str(LAB.files / "deploy.log") in failed


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nodes", "0"], "NODES=0 is not allowed: give a whole number from 1 to 200."),
        (["--nodes", "201"], "NODES=201 is not allowed"),
        (["--nodes", "three"], "NODES=three is not allowed"),
        (["--encapsulation", "vxlan"], "ENCAPSULATION=vxlan is not allowed: give one of VXLAN, VXLANCrossSubnet, IPIP"),
    ],
)
def test_values_that_are_not_allowed_are_refused_by_name(arguments: list[str], reason: str) -> None:
    assert reason in lab("up", *arguments, status=1)


def test_names_of_labs_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODNET_LAB_NAME", "../etc")
    with pytest.raises(LabError, match=r"PODNET_LAB_NAME=\.\./etc is not allowed"):
        current_lab()


def test_shape_of_a_lab_is_spelled_for_people() -> None:
    assert str(Shape(1, "VXLAN")) == "1 node in one subnet"
    assert str(Shape(4, "IPIPCrossSubnet", ssh=True)) == "4 nodes in two subnets, with SSH"
