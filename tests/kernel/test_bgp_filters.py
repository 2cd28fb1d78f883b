# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPFilters between real BIRDs: what a node takes from a router and a node, and what it sends to them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird.filters import call, functions
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_filter import BGPFilter
from ansible_collections.podnet.calico.tests.kernel.net import Namespace
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.tools import bird_versions
from ansible_collections.podnet.calico.tests.unit.bird.test_filters import RELEASES, available

RULES: dict[str, list[dict[str, t.Any]]] = {
    "importV4": [
        {
            "action": "Accept",
            "peerType": "eBGP",
            "source": "RemotePeers",
            "communities": {"values": ["65000:1"]},
            "operations": [{"addCommunity": {"value": "65000:1:9"}}, {"setPriority": {"value": 512}}],
        },
        {
            "action": "Accept",
            "asPathPrefix": [65001, 65009],
            "operations": [{"prependASPath": {"prefix": [65100, 65101]}}],
        },
        {"action": "Accept", "peerType": "iBGP", "priority": 100},
        {"action": "Accept", "peerType": "iBGP", "cidr": "10.5.0.0/24", "matchOperator": "Equal"},
        {"action": "Reject", "cidr": "10.4.0.0/24", "matchOperator": "NotIn"},
    ],
    "exportV4": [
        {"action": "Reject", "peerType": "iBGP", "communities": {"values": ["65000:1:9"]}, "interface": "wan*"},
        {
            "action": "Accept",
            "peerType": "iBGP",
            "source": "RemotePeers",
            "interface": "eth0",
            "operations": [{"setPriority": {"value": 7}}, {"addCommunity": {"value": "65000:7"}}],
        },
        {
            "action": "Accept",
            "peerType": "eBGP",
            "cidr": "10.244.0.0/16",
            "matchOperator": "In",
            "prefixLength": {"max": 26},
            "operations": [{"prependASPath": {"prefix": [64600, 64601]}}],
        },
        {"action": "Reject"},
    ],
}
FILTER = {
    "name": "both.ways",
    "rules": BGPFilter.from_document({"metadata": {"name": "both.ways"}, "spec": RULES}).to_document()["spec"],
}

ROUTER = """router id 192.0.2.1;
protocol device {}
protocol static sent { ipv4;
  route 10.1.0.0/24 unreachable;
  route 10.2.0.0/24 unreachable { bgp_community.add((65000, 1)); };
  route 10.3.0.0/24 unreachable { bgp_path.prepend(65009); };
  route 10.4.0.0/24 unreachable;
  route 10.5.0.0/24 unreachable;
}
protocol bgp node { local 192.0.2.1 as 65001; neighbor 192.0.2.11 as 64512; connect delay time 1;
  ipv4 { import all; export where proto = "sent"; }; }
"""
OTHER = """router id 192.0.2.12;
protocol device {}
protocol static sent { ipv4;
  route 10.11.0.0/24 unreachable { bgp_local_pref = 2147482623; };
  route 10.12.0.0/24 unreachable { bgp_local_pref = 2147483547; };
}
protocol bgp node { local 192.0.2.12 as 64512; neighbor 192.0.2.11 as 64512; connect delay time 1;
  ipv4 { import all; export where proto = "sent"; }; }
"""


def _session(name: str, address: str, remote_as: int) -> str:
    ibgp = remote_as == 64512
    into, out = (call("both.ways", way, 4, ibgp=ibgp) for way in ("import", "export"))
    return f"""protocol bgp {name} {{ local 192.0.2.11 as 64512; neighbor {address} as {remote_as};
  connect delay time 1;
  ipv4 {{
    next hop self; import keep filtered;
    import filter {{ {into} accept; }}; export filter {{ {out} accept; }};
  }};
}}
"""


NODE = "\n".join(
    [
        "router id 192.0.2.11;\nlog stderr all;\nprotocol device {}",
        "protocol static own { ipv4; route 10.244.1.0/26 blackhole; route 10.244.9.9/32 blackhole; }",
        functions([FILTER], 4),
        _session("tor", "192.0.2.1", 65001),
        _session("fellow", "192.0.2.12", 64512),
    ]
)
HOSTS = {"router": ("192.0.2.1", ROUTER), "other": ("192.0.2.12", OTHER), "node": ("192.0.2.11", NODE)}


class Bird:
    """A BIRD in a namespace; attributes are written alike for all releases."""

    def __init__(self, host: Namespace, config: str, directory: Path, release: str) -> None:
        self._programs = str(bird_versions.programs(release) or "")
        directory.mkdir()
        (directory / "bird.conf").write_text(config)
        self._socket, self.log = directory / "bird.ctl", directory / "bird.log"
        command = [
            os.path.join(self._programs, "bird"),
            "-f",
            "-c",
            str(directory / "bird.conf"),
            "-s",
            str(self._socket),
        ]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(["nsenter", f"--net={host.path}", *command], stdout=log, stderr=log)

    def ask(self, question: str) -> str:
        assert self._process.poll() is None, self.log.read_text()
        command = [os.path.join(self._programs, "birdc"), "-s", str(self._socket), *question.split()]
        return (
            subprocess.run(command, capture_output=True, text=True, check=False)
            .stdout.replace("\tbgp_", "\tBGP.")
            .replace("BGP.as_path", "BGP.path")
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


Lab = t.Dict[str, Bird]


@pytest.fixture(scope="module", params=RELEASES)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    """Return the BIRDs of a router, a node with the filter, and another node; no filter may have failed."""
    release = available(request.param)
    birds: Lab = {}
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Namespace.made("wire"))
        wire.batch("link add br0 type bridge", "link set br0 up")
        for word, (address, config) in HOSTS.items():
            host = stack.enter_context(Namespace.made(word))
            _plug(host, wire, word, address)
            birds[word] = Bird(host, config, tmp_path_factory.mktemp("birds") / word, release)
            stack.callback(birds[word].stop)
        yield birds
    assert "filters" not in birds["node"].log.read_text()


def _plug(host: Namespace, wire: Namespace, word: str, address: str) -> None:
    host.ip(f"link add eth0 type veth peer name {word} netns {wire.name}")
    wire.ip(f"link set {word} master br0 up")
    host.ip("link set eth0 addrgenmode none up")
    host.ip(f"addr add {address}/24 dev eth0")


# By case: whom to ask what, and what the answer has to contain. Routes that a filter stopped are shown by
# "filtered" (import) and "noexport" (export).
SEEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a community, from another AS": (
        "node",
        "show route protocol tor 10.2.0.0/24 all",
        ("BGP.local_pref: 2147483135", "BGP.community: (65000,1)", "BGP.large_community: (65000, 1, 9)"),
    ),
    "a path that begins so": (
        "node",
        "show route protocol tor 10.3.0.0/24 all",
        ("BGP.path: 65100 65101 65001 65009",),
    ),
    "no rule matches": ("node", "show route protocol tor 10.4.0.0/24 all", ("BGP.path: 65001",)),
    "a network is not in the other": ("node", "show route filtered protocol tor 10.1.0.0/24", ("10.1.0.0/24",)),
    "a rule for the own AS": ("node", "show route filtered protocol tor 10.5.0.0/24", ("10.5.0.0/24",)),
    "the priority": ("node", "show route protocol fellow 10.12.0.0/24 all", ("BGP.local_pref: 2147483547",)),
    "another priority": ("node", "show route filtered protocol fellow 10.11.0.0/24", ("10.11.0.0/24",)),
    "what was learned goes to the other node": (
        "other",
        "show route protocol node 10.2.0.0/24 all",
        ("BGP.local_pref: 2147483640", "BGP.community: (65000,1) (65000,7)", "BGP.large_community: (65000, 1, 9)"),
    ),
    "what is its own does not": ("node", "show route noexport fellow 10.244.1.0/26", ("10.244.1.0/26",)),
    "what is its own goes to the router": (
        "router",
        "show route protocol node 10.244.1.0/26 all",
        ("BGP.path: 64512 64600 64601",),
    ),
    "what is too long does not": ("node", "show route noexport tor 10.244.9.9/32", ("10.244.9.9/32",)),
}


@pytest.mark.parametrize("case", SEEN)
def test_routes(case: str, lab: Lab) -> None:
    host, question, expected = SEEN[case]
    wait_for(lambda: all(text in lab[host].ask(question) for text in expected), f"{expected}")
