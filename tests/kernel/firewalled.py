# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a firewall of its own and a pod behind it; a node and a stranger beside it; packets between them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.preflight.judge import judge
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.preflight.healthy import wanted

HOST, NODE, STRANGER = "192.0.2.11", "192.0.2.12", "192.0.2.13"
HOST6, NODE6, STRANGER6 = "2001:db8::11", "2001:db8::12", "2001:db8::23"
POD, OTHER_POD = "10.244.0.5", "10.244.1.5"
LAB = Path(__file__).parents[1] / "lab" / "systemctl" / "systemctl.py"
_CLONE_NEWNET = 0x40000000
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
PRESENT: Result = {
    "open": ["ip protocol 4", "udp 4789", "tcp 179"],
    "nodes": [NODE, "2001:db8::12", "2001:db8::13", "2001:db8::14"],
    "pods": ["10.244.0.0/16", "fd00::/48"],
}
INSERT: Result = {**PRESENT, "insert": True}
ABSENT: Result = {"state": "absent"}
LET_IN = {"ip protocol 4": [NODE], "udp 4789": [NODE], "udp 4790": [], "tcp 179": [NODE], "tcp 23": []}
SHUT: dict[str, list[str]] = {name: [] for name in LET_IN}
FORWARDED = {"to a pod": [NODE, OTHER_POD], "from a pod": [POD]}
NFTABLES = """flush ruleset
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        tcp dport 2222 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; }
    chain output { type filter hook output priority 0; policy drop; ct state established accept; }
}
"""


class Site:
    """The three machines. usr, etc, run and var/log of the host are its own, and go with the test."""

    @classmethod
    @contextlib.contextmanager
    def made(
        cls, modules: Modules, new: t.Callable[[str], Namespace], path: Path, root: Path | None
    ) -> t.Iterator[Site]:
        """Make the machines; what runs there ends before the folders go, whatever fails."""
        with contextlib.ExitStack() as left:
            yield cls(modules, new, path, root, left)

    def __init__(
        self,
        modules: Modules,
        new: t.Callable[[str], Namespace],
        path: Path,
        root: Path | None,
        left: contextlib.ExitStack,
    ) -> None:
        self._modules, self._left = modules, left
        self.host, self.far, self.pod = new("host"), new("far"), new("pod")
        self._wire()
        self._folders = {f"/{name}": path / name for name in ("usr", "etc", "run", "var/log")}
        self.etc = self._folders["/etc"]
        for name in ("usr", "etc", "run/dbus", "var/log", "own/usr/local/sbin", "own/etc"):
            (path / name).mkdir(parents=True)
        (path / "own/usr/local/sbin/systemctl").write_text(f'#!/bin/sh\nexec /usr/bin/python3 {LAB} "$@"\n')
        (path / "own/usr/local/sbin/systemctl").chmod(0o755)
        for name in ("usr", "etc"):
            lower = ":".join(map(str, [*([root / name] if root else []), f"/{name}"]))
            (path / f"work-{name}").mkdir()
            options = f"lowerdir={lower},upperdir={path / 'own' / name},workdir={path / f'work-{name}'}"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(path / name)], check=True)
            left.callback(subprocess.run, ["umount", str(path / name)], check=True)

    def _wire(self) -> None:
        self.host.batch(
            f"link add eth0 type veth peer name eth0 netns {self.far.name}",
            f"link add cali0 type veth peer name eth0 netns {self.pod.name}",
            "link set eth0 up",
            "link set cali0 up",
            f"addr add {HOST}/24 dev eth0",
            f"addr add {HOST6}/64 dev eth0 nodad",
            f"route add {POD} dev cali0",
            f"route add 10.244.1.0/26 via {NODE}",
            f"route add 198.51.100.0/24 via {STRANGER}",
        )
        self.host.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.cali0.proxy_arp=1 net.ipv4.conf.all.rp_filter=0")
        self.far.batch(
            "link set eth0 up",
            *(f"addr add {address}/24 dev eth0" for address in (NODE, STRANGER)),
            *(f"addr add {address}/64 dev eth0 nodad" for address in (NODE6, STRANGER6)),
            *(f"addr add {address}/32 dev lo" for address in (OTHER_POD, "198.51.100.9")),
            f"route add 10.244.0.0/26 via {HOST}",
        )
        self.pod.batch("link set eth0 up", f"addr add {POD}/32 dev eth0", "route add default dev eth0")

    def module(self, params: Result, *, check: bool = False) -> Result:
        """Run calico_firewall."""
        return self._module("calico_firewall", params, check)

    def dropped(self) -> set[str]:
        """Return what a preflight finds of chains that drop what the nodes and pods send."""
        answer = self._module("calico_preflight_info", {"address": HOST, "towards": [HOST, NODE], "networks": []})
        found = judge({"node1": answer["facts"]}, wanted())["findings"]
        return {row["kind"] for row in found if row["kind"].endswith("-dropped")}

    def _module(self, name: str, params: Result, check: bool = False) -> Result:
        binds = {seen: str(real) for seen, real in self._folders.items()}
        return self._modules.run(self.host.path, name, params, check=check, binds=binds)

    def converge(self, params: Result) -> Result:
        """Run it as it has to be: check mode predicts it and changes nothing, a second run has nothing to do."""
        before = self.rules()
        predicted = self.module(params, check=True)
        assert self.rules() == before
        done = self.module(params)
        assert not done.get("failed"), done
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        again = self.module(params)
        assert again["changed"] is False, again
        return done

    def run(self, *command: str, text: str = "") -> str:
        """Run a program on the host, with its folders; return what it prints."""
        found = subprocess.run(self._inside(*command), input=text, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    def _inside(self, *command: str) -> list[str]:
        binds = "".join(f"mount --bind {real} {seen}; " for seen, real in self._folders.items())
        shell = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'{binds}exec "$@"', "sh"]
        return ["nsenter", f"--net={self.host.path}", *shell, *command]

    def rules(self) -> str:
        """Return all rules of the host, without counters and handles."""
        return self.run("nft", "-s", "list", "ruleset")

    def start_firewalld(self) -> None:
        """Have firewalld run there, with a bus of its own; returns when it answers."""
        (self.etc / "bus.conf").write_text(_BUS)
        self._start("dbus-daemon", "--config-file=/etc/bus.conf", "--nofork", "--nopidfile")
        wait_for(lambda: (self._folders["/run"] / "dbus" / "system_bus_socket").exists())
        self._start("firewalld", "--nofork", "--nopid")
        wait_for(lambda: subprocess.run(self._inside("firewall-cmd", "--state"), capture_output=True).returncode == 0)

    def _start(self, *command: str) -> None:
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(self._inside(*command), stdout=quiet, stderr=quiet)
        self._left.callback(process.wait)
        self._left.callback(process.terminate)

    def let_in(self) -> dict[str, list[str]]:
        """Return, for what the modes need, from whom it reaches the host: the stranger sends first, then the node."""
        tries = [(self.far, [STRANGER, NODE], self.host, HOST, port) for port in (179, 23)]
        bgp, telnet = connections(tries)
        return {
            "ip protocol 4": self._datagrams(socket.SOCK_RAW, socket.IPPROTO_IPIP),
            "udp 4789": self._datagrams(socket.SOCK_DGRAM, 4789),
            "udp 4790": self._datagrams(socket.SOCK_DGRAM, 4790),
            "tcp 179": bgp,
            "tcp 23": telnet,
        }

    def _datagrams(self, kind: int, number: int) -> list[str]:
        """Return from whom one packet each comes in; they are delivered before sendto() returns."""
        raw = kind == socket.SOCK_RAW
        with _socket(self.host, kind, number if raw else 0) as receiver:
            receiver.bind((HOST, 0 if raw else number))
            receiver.setblocking(False)
            for address in (STRANGER, NODE):
                with _socket(self.far, kind, number if raw else 0) as sender:
                    sender.bind((address, 0))
                    sender.sendto(b"E" * 40, (HOST, 0 if raw else number))
            found = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    found.append(receiver.recvfrom(100)[1][0])
            return found

    def bgp(self) -> dict[str, list[str]]:
        """Return with whom TCP connections to port 179 come about: from them, and from the host to each."""
        inward = [
            (self.far, [NODE, STRANGER], self.host, HOST, 179),
            (self.far, [NODE6, STRANGER6], self.host, HOST6, 179),
        ]
        outward = [(self.host, [HOST], self.far, address, 179) for address in (NODE, STRANGER)]
        outward += [(self.host, [HOST6], self.far, address, 179) for address in (NODE6, STRANGER6)]
        found = connections([*inward, *outward])
        reached = [address for address, row in zip((NODE, STRANGER, NODE6, STRANGER6), found[2:]) if row]
        return {"in": [*found[0], *found[1]], "out": reached}

    def forwarded(self) -> dict[str, list[str]]:
        """Return who reaches whom through the host."""
        inward = (self.far, ["198.51.100.9", NODE, OTHER_POD], self.pod, POD, 80)
        outward = (self.pod, [POD], self.far, "198.51.100.9", 80)
        return dict(zip(("to a pod", "from a pod"), connections([inward, outward])))


Try = t.Tuple[Namespace, t.List[str], Namespace, str, int]


def connections(tries: t.Iterable[Try]) -> list[list[str]]:
    """Return, for each try, from which of its addresses a TCP connection to an address and port comes about.

    All are begun at once; what has no answer after a second was dropped.
    """
    with contextlib.ExitStack() as stack:
        clients: list[list[tuple[str, socket.socket]]] = []
        for source, addresses, target, address, port in tries:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = stack.enter_context(_socket(target, socket.SOCK_STREAM, family=family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen()
            clients.append(
                [(each, stack.enter_context(_socket(source, socket.SOCK_STREAM, family=family))) for each in addresses]
            )
            for each, client in clients[-1]:
                client.setblocking(False)
                client.bind((each, 0))
                client.connect_ex((address, port))
        waiting = {client for row in clients for __, client in row}
        end = time.monotonic() + 1
        while waiting and time.monotonic() < end:
            waiting -= set(select.select([], list(waiting), [], 0.1)[1])
        return [[each for each, client in row if _is_connected(client)] for row in clients]


def _is_connected(client: socket.socket) -> bool:
    try:
        return bool(client.getpeername())
    except OSError:
        return False


def _socket(namespace: Namespace, kind: int, protocol: int = 0, family: int = socket.AF_INET) -> socket.socket:
    """Return a socket that was made in a namespace, and stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(namespace.path, os.O_RDONLY)
    try:
        assert libc.setns(there, _CLONE_NEWNET) == 0
        return socket.socket(family, kind, protocol)
    finally:
        assert libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(there)


def files(site: Site) -> list[str]:
    return sorted(path.name for path in site.etc.rglob("*podnet*"))
