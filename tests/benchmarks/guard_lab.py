# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes with a VXLAN and a pod each, in namespaces, with our nftables table as calico_nat makes it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard, nat
from ansible_collections.podnet.calico.plugins.module_utils.persist import nft_text
from ansible_collections.podnet.calico.tests.benchmarks.measure import Cost, MeasuringFailed, command, enter, forked
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS, PREFIX, ip, sweep

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

NODES = ("192.0.2.1", "192.0.2.2")
VTEPS = ("10.244.0.0", "10.244.1.0")
MACS = ("66:00:00:00:00:01", "66:00:00:00:00:02")
PODS = ("10.244.0.5", "10.244.1.5")
TCP_PORT, UDP_PORT, FIRST_PORT = 5001, 5002, 10_000  # not 4789, to which no pod may send
_CHUNK = 1 << 18
PATIENCE = 60.0  # seconds that thousands of new links may take to come up


class Lab:
    """Both nodes; leaving it removes them.

    guarded: whether the table has the guard. nodes, pods: how many each node knows, and has, besides.
    """

    def __init__(self, *, guarded: bool, nodes: int = 2, pods: int = 1) -> None:
        self._guarded, self._nodes, self._pods = guarded, nodes, pods
        self.hosts = [f"{PREFIX}node{index}" for index in range(2)]
        self.pods = [f"{PREFIX}pod{index}" for index in range(2)]

    def __enter__(self) -> Lab:
        names = [*self.hosts, *self.pods]
        ip("-batch", "-", lines="".join(f"netns add {name}\n" for name in names))
        first, second = self.hosts
        ip("-n", first, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", second)
        for index in range(2):
            self._node(index)
            self._pod(index)
        for host in self.hosts:
            self._nft(host, self._table(self.hosts.index(host)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        sweep()

    def _node(self, index: int) -> None:
        other = 1 - index
        lines = (
            f"addr add {NODES[index]}/24 dev eth0",
            "link set eth0 up",
            f"link add vxlan.calico address {MACS[index]} type vxlan id 4096 local {NODES[index]} dev eth0"
            " dstport 4789 nolearning",
            "link set vxlan.calico up",
            f"addr add {VTEPS[index]}/32 dev vxlan.calico",
            f"neigh add {VTEPS[other]} lladdr {MACS[other]} dev vxlan.calico nud permanent",
            f"route add {VTEPS[other]}/26 via {VTEPS[other]} dev vxlan.calico onlink",
            *(f"link add cali{number:011x} type veth peer name far{number}" for number in range(self._pods)),
            *(f"link set cali{number:011x} up" for number in range(self._pods)),
            *(
                f"route add 10.{200 + index}.{number // 250}.{number % 250}/32 dev cali{number:011x}"
                for number in range(self._pods)
            ),
        )
        ip("-n", self.hosts[index], "-batch", "-", lines="".join(f"{line}\n" for line in lines))
        path = str(NETNS / self.hosts[index])
        command(["bridge", "fdb", "add", MACS[other], "dst", NODES[other], "dev", "vxlan.calico"], netns=path)
        command(["sysctl", "-qw", "net.ipv4.ip_forward=1"], netns=path)

    def _pod(self, index: int) -> None:
        host, pod = self.hosts[index], self.pods[index]
        ip("-n", host, "link", "add", "calipod", "type", "veth", "peer", "name", "eth0", "netns", pod)
        lines = ("addr add 169.254.1.1/32 dev calipod", "link set calipod up", f"route add {PODS[index]} dev calipod")
        ip("-n", host, "-batch", "-", lines="".join(f"{line}\n" for line in lines))
        lines = (
            f"addr add {PODS[index]}/32 dev eth0",
            "link set lo up",
            "link set eth0 up mtu 1450",
            "route add 169.254.1.1 dev eth0 scope link",
            "route add default via 169.254.1.1 dev eth0",
        )
        ip("-n", pod, "-batch", "-", lines="".join(f"{line}\n" for line in lines))

    def _table(self, index: int) -> str:
        pools = ["10.244.0.0/16"]
        outgoing = nat.parse({"masquerade": pools, "pools": pools, "exclude": [], "tunnels": ["vxlan.calico"]})
        nodes = [NODES[1 - index], *(f"10.100.{at // 250}.{at % 250 + 1}" for at in range(self._nodes - 2))]
        options = {"nodes": nodes, "encapsulations": ["vxlan"], "uplinks": ["eth0"]}
        return nft_text.text(nat.wanted(outgoing, guard.parse(options) if self._guarded else None))

    def _nft(self, host: str, text: str) -> None:
        call = ["ip", "netns", "exec", host, "nft", "-f", "-"]
        done = subprocess.run(call, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MeasuringFailed(f"nft in {host}: {done.stderr}")

    def flows(self, number: int) -> Cost:
        """Send that many UDP packets from pod to pod, each of a flow of its own, and have each answered.

        The CPU is that of both ends, with what the kernel does on their behalf.
        """
        self._warm()

        def work() -> int:
            ready, told = os.pipe()
            child = os.fork()
            if not child:
                _echo(str(NETNS / self.pods[1]), number, told)
            os.read(ready, 1)
            for port in range(FIRST_PORT, FIRST_PORT + number):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.settimeout(60)
                    sender.bind((PODS[0], port))
                    sender.connect((PODS[1], UDP_PORT))
                    sender.send(b"new")
                    sender.recv(8)
            os.waitpid(child, 0)
            return number

        return forked(work, netns=str(NETNS / self.pods[0]))

    def tracked(self) -> int:
        """Return how many connections both nodes track."""
        place = "/proc/sys/net/netfilter/nf_conntrack_count"
        return sum(int(command(["cat", place], netns=str(NETNS / host)).answer) for host in self.hosts)

    def stream(self, size: int) -> Cost:
        """Send so many bytes by one TCP connection from pod to pod; the wall time ends when all have arrived."""
        self._warm()
        receiving = [
            *("ip", "netns", "exec", self.pods[1], "python3", "-c", _RECEIVER, PODS[1], str(TCP_PORT), str(size)),
        ]
        with subprocess.Popen(receiving, stdout=subprocess.PIPE, text=True) as receiver:
            assert receiver.stdout is not None
            receiver.stdout.readline()

            def work() -> int:
                with socket.create_connection((PODS[1], TCP_PORT), timeout=60) as sender:
                    data, left = bytes(_CHUNK), size
                    while left > 0:
                        left -= sender.send(data[: min(left, _CHUNK)])
                    sender.shutdown(socket.SHUT_WR)
                    return len(sender.recv(1))

            cost = forked(work, netns=str(NETNS / self.pods[0]))
            if receiver.wait() or cost.answer != 1:
                raise MeasuringFailed("the receiver did not get all of the stream")
        return cost

    def _warm(self) -> None:
        ping = ["ip", "netns", "exec", self.pods[0], "ping", "-c", "2", "-i", "0.2", "-W", "5", PODS[1]]
        until = time.monotonic() + PATIENCE
        while (done := subprocess.run(ping, capture_output=True, text=True, check=False)).returncode:
            if time.monotonic() > until:
                raise MeasuringFailed(f"the pods do not reach each other: {done.stdout}")


def _echo(netns: str, number: int, told: int) -> t.NoReturn:
    """Be the other pod: answer so many packets."""
    try:
        enter(netns)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as box:
            box.settimeout(60)
            box.bind((PODS[1], UDP_PORT))
            os.write(told, b".")
            for _ in range(number):
                data, sender = box.recvfrom(8)
                box.sendto(data, sender)
    finally:
        os._exit(0)


_RECEIVER = Path(__file__).with_name("guard_receiver.py").read_text(encoding="utf-8")
