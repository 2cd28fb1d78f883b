#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_probe
short_description: See what the network between nodes lets pass, before there is a pod network
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Sends from node to node what each encapsulation puts on the wire, and measures how large it may be with "don't
    fragment" set. No tunnel, route or address of the host is made, and nothing but Python is needed.
  - Three calls make a probe. O(state=listening) on all nodes starts a process that notes what arrives and answers it;
    O(state=asking) asks all other nodes at once; O(state=absent) ends the process and returns what arrived, so that a
    packet that is lost on the way is told from one that the node's own firewall drops, and a request from an answer.
  - Packets of four kinds are sent. C(plain) is UDP from the node's own address. C(pod) is UDP whose source is a pod's
    address, as without encapsulation. C(ipip) is IP protocol 4. C(vxlan) is UDP to port 4789 with a VXLAN in it.
  - At most 50 packets go between a node and another one for each of the two that asks, answers included and ports not.
requirements:
  - Linux, root; no library beside Python's own
extends_documentation_fragment:
  - podnet.calico.attributes.info
attributes:
  idempotent:
    support: N/A
    details: Each run measures anew.
options:
  state:
    description: What to do, in this order; see above.
    type: str
    choices: [listening, asking, absent]
    required: true
  session:
    description: Sixteen hexadecimal digits that all nodes share in this probe, and no other probe has.
    type: str
    required: true
  address:
    description:
      - IPv4 address of this node, with or without prefix length. Without it that is taken with which packets leave to
        the first of O(towards) that is another host.
    type: str
  towards:
    description: Names or addresses of all nodes. Needed without O(address).
    type: list
    elements: str
    default: []
  pod_address:
    description: An address of a pool, the source of packets that look like a pod's. Needed unless O(state=absent).
    type: str
  nodes:
    description: The other nodes. Needed for O(state=asking).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      address:
        description: Its IPv4 address.
        type: str
        required: true
  tcp_ports:
    description: TCP ports that have to be reachable. Where nothing listens on one, the probe does so.
    type: list
    elements: int
    default: [179]
  udp_ports:
    description:
      - UDP ports that have to be reachable, such as those of WireGuard. The probe has to have them itself to answer;
        RV(busy) tells which ones it could not get.
    type: list
    elements: int
    default: []
  payload:
    description:
      - Send TCP and UDP of several sizes through a VXLAN of the kernel too, whose checksums are left to the network
        card where it says that it can. For O(state=listening); loads the kernel's C(vxlan).
      - The VXLAN is in a network namespace of its own, which ends with the listening process.
    type: bool
    default: false
  checksum_offload:
    description:
      - V(false) has the kernel make the checksums of that VXLAN, as the option of the same name of
        M(podnet.calico.calico_tunnel) does for the cluster's tunnels. The default is V(false) on kernels up to 5.7.
    type: bool
  seconds:
    description: How long the listening process lives at most.
    type: float
    default: 120
  timeout:
    description: Seconds that an answer may take.
    type: float
    default: 0.5
seealso:
  - module: podnet.calico.calico_ping
"""

EXAMPLES = r"""
- name: Listen on all nodes
  podnet.calico.calico_probe:
    state: listening
    session: 00c0ffee00c0ffee
    address: 192.0.2.11
    pod_address: 10.244.0.0

- name: Ask all other nodes
  podnet.calico.calico_probe:
    state: asking
    session: 00c0ffee00c0ffee
    address: 192.0.2.11
    pod_address: 10.244.0.0
    nodes:
      - {name: node2, address: 192.0.2.12}
  register: asked

- name: See what arrived
  podnet.calico.calico_probe:
    state: absent
    session: 00c0ffee00c0ffee
    address: 192.0.2.11
  register: arrived
"""

RETURN = r"""
node:
  description: Address with prefix length, device, and the device's MTU in bytes, of this node.
  returned: O(state=listening)
  type: dict
  sample: {address: 192.0.2.11/24, device: eth0, mtu: 1500}
results:
  description:
    - One result for each other node. C(largest) is the size of an IP packet on the underlay, in bytes; C(at_least) says
      that larger ones may pass, of which no more were tried.
  returned: O(state=asking)
  type: list
  elements: dict
  sample:
    - target: node2
      address: 192.0.2.12
      mtu: 1500
      packets: 14
      kinds:
        plain: {answered: true, rtt_ms: 0.4, largest: 1500, at_least: false}
        pod: {answered: true, rtt_ms: 0.4, largest: null, at_least: false}
        ipip: {answered: false, rtt_ms: null, largest: null, at_least: false}
        vxlan: {answered: true, rtt_ms: 0.5, largest: 1500, at_least: false}
      tcp: {"179": open}
      udp: {}
      payload: {sizes: [34, 1422], answered: [34, 1422], tcp: whole, repeated: false}
busy:
  description: UDP ports of O(udp_ports) that somebody else has.
  returned: O(state=listening)
  type: list
  elements: int
  sample: []
payload:
  description: Why nothing can be sent through a VXLAN of the kernel; empty where it can, null if it was not asked for.
  returned: O(state=listening)
  type: str
  sample: ""
arrivals:
  description:
    - What arrived from which node by kind. C(wire) counts before the firewall of this node, C(let_in) behind it,
      C(damaged) what was not as it had been sent.
  returned: O(state=absent)
  type: list
  elements: dict
  sample: [{node: 192.0.2.12, kind: vxlan, wire: 2, let_in: 2, damaged: 0}]
"""

import ipaddress
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.runner import run
from ansible_collections.podnet.calico.plugins.module_utils.verify import probe_answers, probe_tunnel
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_place import Place, mtus_towards, own_place
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_questions import Asker, Target

NODE = {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}}


def _check_addresses(params: t.Mapping[str, t.Any]) -> None:
    """Refuse what is no IPv4 address before anything is sent."""
    named = [(f"nodes[{index}].address", node["address"]) for index, node in enumerate(params["nodes"] or ())]
    for option, text in [*named, *([("pod_address", params["pod_address"])] if params["pod_address"] else [])]:
        try:
            ipaddress.IPv4Address(text)
        except ValueError as error:
            raise InvalidInput(f'{option} "{text}" is not an IPv4 address', remedy="Correct it") from error


def work(module: AnsibleModule) -> Outcome:
    """Listen, ask, or end and tell what arrived."""
    params = module.params
    session, pod = params["session"], params["pod_address"]
    if len(session) != 16 or set(session) - set("0123456789abcdef"):
        raise InvalidInput(f"session: {session} is not 16 hexadecimal digits in lower case")
    _check_addresses(params)
    place = own_place(params["address"], params["towards"])
    own = place.address.partition("/")[0]
    if params["state"] == "absent":
        return Outcome([], {"arrivals": probe_answers.collect(session, own)})
    if params["state"] == "listening":
        return _listen(params, place)
    mtus = mtus_towards([node["address"] for node in params["nodes"]], place)
    targets = [Target(**node, mtu=mtus[node["address"]]) for node in params["nodes"]]
    asker = Asker(bytes.fromhex(session), own, pod, params["timeout"])
    asker.ask(targets, params["tcp_ports"], params["udp_ports"], probe_answers.tunnel(session, own))
    return Outcome([], {"results": [target.result() for target in targets]})


def _listen(params: dict[str, t.Any], place: Place) -> Outcome:
    """Start what answers; without a VXLAN of the kernel the rest is probed all the same."""
    session, own = params["session"], place.address.partition("/")[0]
    netns, reason = None, None
    if params["payload"]:
        reason = ""
        try:
            netns = probe_tunnel.make(bytes.fromhex(session), place, params["checksum_offload"])
        except KernelError as error:
            reason = str(error)
    ports = params["tcp_ports"], params["udp_ports"]
    answerer = probe_answers.Answerer(bytes.fromhex(session), own, params["pod_address"], *ports, netns)
    probe_answers.start(answerer, session, own, params["seconds"], netns)
    return Outcome([], {"node": place._asdict(), "busy": answerer.busy, "payload": reason})


def main() -> None:
    """Run the module."""
    spec = {
        "state": {"type": "str", "choices": ["listening", "asking", "absent"], "required": True},
        "session": {"type": "str", "required": True},
        "address": {"type": "str"},
        "towards": {"type": "list", "elements": "str", "default": []},
        "pod_address": {"type": "str"},
        "nodes": {"type": "list", "elements": "dict", "options": NODE},
        "tcp_ports": {"type": "list", "elements": "int", "default": [179]},
        "udp_ports": {"type": "list", "elements": "int", "default": []},
        "payload": {"type": "bool", "default": False},
        "checksum_offload": {"type": "bool"},
        "seconds": {"type": "float", "default": 120},
        "timeout": {"type": "float", "default": 0.5},
    }
    required = [("state", "listening", ["pod_address"]), ("state", "asking", ["pod_address", "nodes"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
