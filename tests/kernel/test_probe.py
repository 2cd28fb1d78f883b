# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe between three nodes on a bridge that behaves like the networks that break Calico."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_packets import KINDS
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_verdict import judge
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_wire import Wire
from ansible_collections.podnet.calico.tests.kernel.net import NONE, Modules, Namespace, Result, start_modules
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

PEERS = range(3)
MTU = 1500
# A card that makes the checksum of the outer UDP header (none is right, too) and forgets those within the VXLAN: what
# waits in a packet socket has them as the kernel leaves them to a card. It sees packets before nftables drops them.
CARD = """
import contextlib, socket
taken = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
taken.bind(("p1", 3))
sent = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sent.bind(("q1", 0))
print("ready", flush=True)
while True:
    frame, place = taken.recvfrom(65535)
    if place[2] != 4 and frame[12:14] == b"\\x08\\0" and frame[23] == 17 and frame[36:38] == b"\\x12\\xb5":
        with contextlib.suppress(OSError):
            sent.send(frame[:40] + bytes(2) + frame[42:])
"""
HOLD = """
import socket, time
taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.bind(("", 51820))
print("ready", flush=True)
time.sleep(600)
"""


def name(peer: int) -> str:
    """Return the name of a node."""
    return f"node{peer + 1}"


def address(peer: int) -> str:
    """Return the underlay address of a node."""
    return f"192.0.2.{11 + peer}"


def on_lo(peer: int) -> str:
    """Return an address that a node may have beside it."""
    return f"198.51.100.{11 + peer}"


class Network:
    """Three nodes, the bridge between them, and a Python for each, so that all probe at the same time."""

    def __init__(self, new_namespace: t.Callable[[str], Namespace], servers: list[Modules]) -> None:
        self.bridge = new_namespace("bridge")
        self.nodes = [new_namespace(name(peer)) for peer in PEERS]
        self._servers = servers
        self.session, self.address = os.urandom(8).hex(), address
        self.bridge.batch("link add br0 type bridge", "link set br0 up")
        for peer, node in enumerate(self.nodes):
            node.ip(f"link add eth0 mtu {MTU} type veth peer name p{peer} mtu {MTU} netns {self.bridge.path}")
            node.batch("link set eth0 up", f"addr add {address(peer)}/24 dev eth0")
            self.bridge.batch(f"link set p{peer} master br0 up")

    def filtered(self, rule: str) -> None:
        """Have the bridge drop what a rule of nftables matches."""
        self.nft(self.bridge, "bridge", "forward", rule)

    def firewall(self, peer: int, rule: str) -> None:
        """Have a node drop what a rule matches."""
        self.nft(self.nodes[peer], "inet", "input", rule)

    @staticmethod
    def nft(where: Namespace, family: str, hook: str, rule: str) -> None:
        """Have a namespace treat packets by a rule."""
        chain = f"table {family} t {{ chain c {{ type filter hook {hook} priority 0; {rule}; }}\n}}\n"
        subprocess.run(["nsenter", f"--net={where.path}", "nft", "-f", "-"], input=chain, text=True, check=True)

    def call(self, state: str, **options: t.Any) -> list[Result]:
        """Run the module on all nodes at the same time; a function as an option is called with the node's number."""

        def one(peer: int) -> Result:
            given = {key: value(peer) if callable(value) else value for key, value in options.items()}
            params = {"state": state, "session": self.session, "address": self.address(peer), **given}
            return self._servers[peer].run(self.nodes[peer].path, "calico_probe", params)

        with concurrent.futures.ThreadPoolExecutor(len(PEERS)) as pool:
            return list(pool.map(one, PEERS))

    def others(self, peer: int) -> list[Result]:
        """Return the nodes that a node asks."""
        return [{"name": name(other), "address": self.address(other)} for other in PEERS if other != peer]

    def probe(self, wanted: t.Sequence[str] = ("VXLAN",), timeout: float = 2, **options: t.Any) -> dict[str, t.Any]:
        """Probe all pairs and judge. options: more of those of listening."""
        listening = self.call("listening", pod_address="10.244.0.0", payload=True, **options)
        assert [answer["payload"] for answer in listening] == [""] * len(PEERS)
        udp = {"udp_ports": options["udp_ports"]} if "udp_ports" in options else {}
        asked = self.call("asking", pod_address="10.244.0.0", nodes=self.others, timeout=timeout, **udp)
        arrived = self.call("absent")
        verdict = judge(
            Wire(
                {name(peer): f"{self.address(peer)}/24" for peer in PEERS},
                {name(peer): asked[peer]["results"] for peer in PEERS},
                {name(peer): arrived[peer]["arrivals"] for peer in PEERS},
                {name(peer): listening[peer] for peer in PEERS},
            ),
            wanted,
        )
        assert verdict["packets"] <= 100
        return verdict


@contextlib.contextmanager
def running(where: Namespace, program: str) -> t.Iterator[None]:
    """Run a program of Python in a namespace, once it has said that it is ready."""
    command = ["nsenter", f"--net={where.path}", sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


@pytest.fixture(scope="module")
def nodes_modules(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[list[Modules]]:
    """Have a Python for each node, so that all of them run the module at the same time."""
    with contextlib.ExitStack() as stack:
        found = []
        for __ in PEERS:
            found.append(start_modules(NONE, tmp_path_factory.mktemp("site")))
            stack.callback(found[-1].close)
        yield found


@pytest.fixture
def network(new_namespace: t.Callable[[str], Namespace], nodes_modules: list[Modules]) -> Network:
    """Have three nodes that nothing stands between."""
    return Network(new_namespace, nodes_modules)


def settings(node: Namespace) -> list[t.Any]:
    """Return links, addresses and routes; neighbours, and what IPv6 does by itself, come and go."""
    links = [(link["ifname"], link["mtu"]) for link in node.show("link")]
    addresses = [row["local"] for link in node.show("-4 addr") for row in link["addr_info"]]
    return [links, addresses, node.routes("")]


def whats(verdict: dict[str, t.Any]) -> list[str]:
    """Return the findings in words."""
    return [finding["what"] for finding in verdict["findings"]]


def test_a_clean_network_has_no_findings_and_nothing_is_left(network: Network) -> None:
    before = [settings(node) for node in network.nodes]
    verdict = network.probe(timeout=60)
    assert whats(verdict) == []
    assert {mode: known["works"] for mode, known in verdict["modes"].items()} == dict.fromkeys(verdict["modes"], True)
    assert verdict["recommended"] == {"encapsulation": "VXLANCrossSubnet", "mtu": 1450}
    # Of each kind a small packet, of three the largest one, of the kernel's VXLAN two, all with answers, from both
    # nodes; and a connection, of which the kernel may acknowledge more or less.
    without_tcp = 2 * 2 * (len(KINDS) + 3 + 2)
    assert without_tcp + 2 * 7 <= verdict["packets"] <= without_tcp + 2 * 10
    assert [settings(node) for node in network.nodes] == before
    assert not [file for file in os.listdir("/run") if network.session in file]


@pytest.mark.parametrize(
    ("rule", "what", "works"),
    [
        ("ip protocol 4 drop", "IP protocol 4 is lost between all nodes", {"VXLAN", "VXLANCrossSubnet", "None"}),
        ("udp dport 4789 drop", "VXLAN (UDP 4789) is lost between all nodes", {"IPIP", "IPIPCrossSubnet", "None"}),
        (
            "ip saddr != 192.0.2.0/24 drop",
            "a packet whose source is a pod's address is lost between all nodes",
            {"IPIP", "VXLAN"},
        ),
        (
            'iifname "p0" oifname "p2" ip protocol 4 drop',
            "IP protocol 4 is lost node1 -> node3",
            {"VXLAN", "VXLANCrossSubnet", "None"},
        ),
        (
            'oifname "p1" udp dport 4789 drop',
            "VXLAN (UDP 4789) is lost to node2",
            {"IPIP", "IPIPCrossSubnet", "None"},
        ),
    ],
    ids=["azure", "vmware", "aws", "one-direction", "one-node"],
)
def test_what_a_network_drops_is_named(network: Network, rule: str, what: str, works: set[str]) -> None:
    network.filtered(rule)
    verdict = network.probe()
    assert whats(verdict) == [what]
    assert {mode for mode, known in verdict["modes"].items() if known["works"]} == works


@pytest.mark.parametrize(
    ("rule", "kind"), [("udp dport 4789 drop", "VXLAN (UDP 4789)"), ("ip protocol 4 drop", "IP protocol 4")]
)
def test_the_own_firewall_is_named(network: Network, rule: str, kind: str) -> None:
    network.firewall(1, rule)
    assert whats(network.probe()) == [f"{kind} arrives at node2, but its own firewall or rp_filter drops it"]


def test_firewalls_that_let_answers_in_hide_no_vxlan(network: Network) -> None:
    """What both send by themselves is no answer to the other: as real VXLANs, probes have source ports of their own."""
    for peer in PEERS:
        network.firewall(peer, "ct state established accept; udp dport 4789 drop")
    kind = "VXLAN (UDP 4789)"
    assert whats(network.probe()) == [
        f"{kind} arrives at {name(p)}, but its own firewall or rp_filter drops it" for p in PEERS
    ]


def test_outgoing_nat_of_a_deployment_is_no_loss(network: Network) -> None:
    for node in network.nodes:
        node.run("iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE")
    assert whats(network.probe(["None"])) == []


def test_rp_filter_before_there_are_routes_is_told_from_the_network_and_no_error(network: Network) -> None:
    network.nodes[2].run("sysctl -qw net.ipv4.conf.all.rp_filter=1")
    verdict = network.probe(["None"])
    (finding,) = verdict["findings"]
    what = "a packet whose source is a pod's address arrives at node3, but its own firewall or rp_filter drops it"
    assert (finding["what"], finding["severity"]) == (what, "information")
    assert verdict["ok"]
    assert verdict["recommended"]["encapsulation"] == "VXLANCrossSubnet"


def test_a_narrow_path_is_measured(network: Network) -> None:
    # A switch that says nothing: what is larger is gone, without an ICMP message.
    network.filtered("ip length > 1400 drop")
    verdict = network.probe()
    (what,) = whats(verdict)
    assert "passes up to 1400 bytes only between all nodes; the interfaces say 1500" in what
    assert verdict["recommended"] == {"encapsulation": "VXLANCrossSubnet", "mtu": 1350}


def test_an_encapsulation_that_alone_is_narrow_is_measured(network: Network) -> None:
    network.filtered("udp dport 4789 ip length > 1420 drop")
    verdict = network.probe()
    (what,) = whats(verdict)
    assert what.startswith("VXLAN (UDP 4789) passes up to 1420 bytes only")
    assert {mode: known["mtu"] for mode, known in verdict["modes"].items()}["IPIP"] == 1480
    assert verdict["modes"]["VXLAN"]["mtu"] == 1370


def test_bytes_that_are_changed_on_the_way_are_noticed(network: Network) -> None:
    # The sum of the UDP header within a VXLAN: outer UDP, VXLAN and frame are 30 bytes, the inner IP header 20.
    network.filtered("udp dport 4789 @th,448,16 set 0xdead accept")
    assert "VXLAN (UDP 4789) arrives with other bytes than were sent between all nodes" in whats(network.probe())


def test_a_card_that_damages_checksums_within_vxlan_is_named_and_what_helps(network: Network) -> None:
    """What the probe makes by itself passes; TCP and UDP of the kernel do not, until that makes all checksums."""
    network.bridge.batch("link add q1 type veth peer name r1", "link set r1 master br0 up", "link set q1 up")
    network.bridge.run("bridge link set dev r1 learning off")  # the node stays behind its own port
    network.nft(network.bridge, "netdev", "ingress device p1", "udp dport 4789 drop")
    with running(network.bridge, CARD):
        verdict = network.probe()
        assert whats(verdict) == [
            "TCP and UDP in a VXLAN of the kernel do not arrive whole from node2, but with checksums that the kernel "
            "makes they do"
        ]
        remedy = verdict["findings"][0]["remedy"]
        assert "network card of node2 damages checksums: set dataplane_checksum_offload: false" in remedy
        assert {mode for mode, known in verdict["modes"].items() if known["works"]} == {
            "IPIP",
            "IPIPCrossSubnet",
            "None",
        }
        network.session = os.urandom(8).hex()
        assert whats(network.probe(checksum_offload=lambda peer: peer != 1)) == []


def test_an_address_on_lo_and_a_large_mtu_are_probed(network: Network) -> None:
    """As fabrics with BGP to the host have it: lo carries 65536 bytes, which are more than a packet can have."""
    for peer, node in enumerate(network.nodes):
        network.bridge.ip(f"link set p{peer} mtu 65535")
        node.batch("link set eth0 mtu 65535", "link set lo up", f"addr add {on_lo(peer)}/32 dev lo")
        node.batch(*(f"route add {on_lo(other)} via {address(other)}" for other in PEERS if other != peer))
    network.bridge.ip("link set br0 mtu 65535")
    network.address = on_lo
    verdict = network.probe()
    assert whats(verdict) == []
    assert verdict["modes"]["VXLAN"]["mtu"] == 65485


def test_udp_ports_that_are_wanted_are_tried(network: Network) -> None:
    network.firewall(0, "udp dport 51821 drop")
    with running(network.nodes[2], HOLD):
        verdict = network.probe(udp_ports=[51820, 51821])
    assert whats(verdict) == ["UDP 51820 is in use on node3 and was not probed there", "UDP 51821 is silent to node1"]
    assert [finding["severity"] for finding in verdict["findings"]] == ["information", "error"]


def test_ports_that_are_closed_are_named(network: Network) -> None:
    network.firewall(0, "tcp dport 179 reject with tcp reset")
    verdict = network.probe(["None"])
    assert whats(verdict) == ["TCP 179 is refused to node1"]


def test_a_host_takes_its_address_towards_the_others(network: Network) -> None:
    towards = [address(peer) for peer in PEERS]
    answers = network.call("listening", pod_address="10.244.0.0", address=None, towards=towards)
    network.call("absent")
    assert [answer["node"] for answer in answers] == [
        {"address": f"{address(peer)}/24", "device": "eth0", "mtu": MTU} for peer in PEERS
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "203.0.113.9"}, "203.0.113.9 is no IPv4 address of this host. It has 127.0.0.1, 192.0.2.11"),
        ({"address": None, "towards": ["203.0.113.9"]}, "address: no other node can be reached by a route"),
        ({"session": "short"}, "session: short is not 16 hexadecimal digits"),
    ],
)
def test_bad_input_is_refused(network: Network, options: dict[str, t.Any], message: str) -> None:
    answer = network.call("listening", pod_address="10.244.0.0", **options)[0]
    assert answer["failed"]
    assert message in answer["msg"]


def test_what_arrived_cannot_be_had_without_listening(network: Network) -> None:
    answer = network.call("absent")[0]
    assert answer["failed"]
    assert "nothing answers in it. Call the module with state=listening before" in answer["msg"]


def test_a_listener_that_is_forgotten_ends_by_itself(network: Network) -> None:
    network.call("listening", pod_address="10.244.0.0", seconds=0.5)
    wait_for(lambda: not [file for file in os.listdir("/run") if network.session in file], "its end")
    assert network.call("absent")[0]["failed"]
