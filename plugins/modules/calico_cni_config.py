#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_cni_config
short_description: Describe the pod network to the container runtime
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Writes C(10-podnet-calico.conflist), a CNI configuration list, after checking it against the CNI specification of
    its version. It is replaced in one step, so that a runtime sees the old one or the new one.
  - The chain V(ptp) gives pods addresses from the node's own blocks by C(host-local), which notes them below
    C(/run/podnet-calico/cni), so that a reboot leaves no address in use. The chain V(calico) is Calico's own plugin
    with C(calico-ipam), which asks the datastore. C(portmap) and C(bandwidth) follow in both, then O(extra_plugins).
  - Network files of others that a runtime takes instead of ours are warned of, or moved aside with O(exclusive).
  - A list of the chain V(calico), and one with a secret of O(extra_plugins) in it, can be read by root alone. A secret
    is what stands below a key that is named like one, such as C(token) or C(api_key), but for paths of files.
  - Another O(name) is refused while containers have addresses under the one in the list that is there.
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  config_dir:
    description: Directory of the configuration lists, as the container runtime knows it.
    type: path
    default: /etc/cni/net.d
  name:
    description: Name of the network.
    type: str
    default: podnet-calico
  spec_version:
    description: Version of the CNI specification that the list is written for; the chain V(calico) has up to V(1.0.0).
    type: str
    choices: ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]
    default: "1.0.0"
  chain:
    description: The plugins that make links and give addresses.
    type: str
    choices: [ptp, calico]
    default: ptp
  ranges:
    description:
      - Networks that pods of the node get addresses of, its blocks. Without any, the list of the chain V(ptp) stays as
        it is.
    type: list
    elements: str
    default: []
  excluded:
    description:
      - Networks in O(ranges) whose addresses no pod gets from C(host-local), such as those that an IPReservation keeps
        back, or that tunnels hold.
    type: list
    elements: str
    default: []
  mtu:
    description: MTU of pods in bytes.
    type: int
    default: 1500
  at_most:
    description:
      - Lower the MTU of a list that is there to O(mtu), if it is larger, and change nothing else. Only O(config_dir)
        and O(mtu) count then.
    type: bool
    default: false
  bin_dir:
    description:
      - Directory of the plugins. A list is refused if one of its plugins is not there, does not run, or does not know
        O(spec_version). Without it, that is not looked at.
    type: path
    default: ""
  node:
    description: Name of the node, for the chain V(calico). The default is the host's name.
    type: str
  calico:
    description:
      - Options of Calico's plugin, as in its network configuration, among them C(datastore_type), C(etcd_endpoints),
        C(log_level), C(ipam). An option that is not known is refused.
    type: dict
    default: {}
  kubeconfig:
    description:
      - By what Calico's plugin reaches the Kubernetes API. It is written to C(podnet-calico-kubeconfig) in
        O(config_dir), for root alone, and never shown.
      - A new token or certificate is a change of this file only; the plugin reads it each time.
    type: dict
    suboptions:
      server:
        description: URL of the Kubernetes API.
        type: str
      certificate_authority:
        description: Certificate of the server's authority, as PEM.
        type: str
      token:
        description: Token of a service account. A JSON Web Token that has expired is refused.
        type: str
      client_certificate:
        description: Certificate of the client, as PEM, instead of a token.
        type: str
      client_key:
        description: Key of the client's certificate, as PEM.
        type: str
  extra_plugins:
    description:
      - Further plugins, as objects of the list; they come last. One with the type C(portmap) or C(bandwidth) takes the
        place of the one that is there.
    type: list
    elements: dict
    default: []
  list_options:
    description: Further keys of the list itself, such as C(disableCheck).
    type: dict
    default: {}
  exclusive:
    description:
      - Rename files of others that a runtime takes instead of ours, and those with a network of the same name, to
        C(*.podnet-moved).
    type: bool
    default: false
  state:
    description:
      - V(absent) removes what this module has written and what C(host-local) has noted, under O(name) and the name in
        the list that is there, and puts back what was moved aside.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_pod_mtu
"""

EXAMPLES = r"""
- name: Describe the network to the container runtime
  podnet.calico.calico_cni_config:
    ranges: "{{ plan_of_node.cni.ranges }}"
    excluded: "{{ plan_of_node.cni.excluded }}"
    mtu: "{{ plan_of_node.cni.mtu }}"

- name: Use Calico's own plugin with etcd
  podnet.calico.calico_cni_config:
    chain: calico
    node: "{{ plan_of_node.node }}"
    mtu: "{{ plan_of_node.cni.mtu }}"
    calico:
      datastore_type: etcdv3
      etcd_endpoints: [https://192.0.2.1:2379]
      etcd_ca_cert_file: /etc/calico/ca.pem
      etcd_cert_file: /etc/calico/client.pem
      etcd_key_file: /etc/calico/client-key.pem
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: network, name: /etc/cni/net.d/10-podnet-calico.conflist}]
file:
  description: The list.
  returned: state is present
  type: str
  sample: /etc/cni/net.d/10-podnet-calico.conflist
agreement:
  description: What has to be the same on all nodes; none where no list is written.
  returned: state is present
  type: dict
  contains:
    mtu:
      description: MTU of pods in bytes.
      type: int
    digest:
      description: Digest of the list without what is the node's own, its ranges and its name.
      type: str
    parts:
      description: The values in it, as JSON by their place in the list, without secrets.
      type: dict
rivals:
  description: Files of others that are in the way, each with the reason.
  returned: state is present
  type: list
  elements: str
kept:
  description: Files that could not be put back, since another one has their name now.
  returned: state is absent
  type: list
  elements: str
"""

import contextlib
import platform
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.validation import check_type_dict

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import conflist, network, spec
from ansible_collections.podnet.calico.plugins.module_utils.discreet import DiscreetModule
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

KUBECONFIG = {
    "server": {"type": "str"},
    "certificate_authority": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "client_certificate": {"type": "str"},
    "client_key": {"type": "str", "no_log": True},
}


def wanted(params: t.Mapping[str, t.Any]) -> conflist.Network:
    """Return what the network is made from."""
    return conflist.Network(
        name=params["name"],
        version=params["spec_version"],
        ranges=tuple(params["ranges"]),
        excluded=tuple(params["excluded"]),
        mtu=params["mtu"],
        chain=params["chain"],
        node=params["node"] or platform.node().lower(),
        calico=params["calico"],
        extra=tuple(params["extra_plugins"]),
        options=params["list_options"],
    )


def secrets(params: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield the secrets in the options; a key of kubeconfig that is unknown may be a misspelt token."""
    given = [params.get(key) for key in ("extra_plugins", "list_options", "calico")]
    access = params.get("kubeconfig") or {}
    with contextlib.suppress(TypeError):  # a text that is no dictionary is refused later, and hidden as a whole
        access = check_type_dict(access)
    unknown = {key: access[key] for key in access if key not in KUBECONFIG} if isinstance(access, dict) else access
    return conflist.secrets([*given, access, {"secret": unknown}])


def work(module: AnsibleModule) -> Outcome:
    """Bring the list in line with the options, or remove it."""
    params = module.params
    if params["state"] == "absent":
        outcome = network.remove(params["name"], params["config_dir"], check_mode=module.check_mode)
        for path in outcome.facts["kept"]:
            module.warn(f"{path} is not put back: its name is taken by another file. Remove the one that is not needed")
        return outcome
    if params["at_most"]:
        return network.shrink(params["mtu"], params["config_dir"], check_mode=module.check_mode)
    given = {key: value for key, value in (params["kubeconfig"] or {}).items() if value is not None}
    options = {key: params[key] for key in ("exclusive", "bin_dir")}
    outcome = network.ensure(
        wanted(params), params["config_dir"], credentials=given, **options, check_mode=module.check_mode
    )
    for text in outcome.facts["rivals"]:
        module.warn(f"{text}. Remove it, or set exclusive (cni_exclusive) to have it moved aside")
    return outcome


def main() -> None:
    """Run the module."""
    spec_of_module = {
        "config_dir": {"type": "path", "default": "/etc/cni/net.d"},
        "name": {"type": "str", "default": "podnet-calico"},
        "spec_version": {"type": "str", "choices": list(spec.VERSIONS), "default": "1.0.0"},
        "chain": {"type": "str", "choices": list(conflist.CHAINS), "default": "ptp"},
        "ranges": {"type": "list", "elements": "str", "default": []},
        "excluded": {"type": "list", "elements": "str", "default": []},
        "mtu": {"type": "int", "default": 1500},
        "at_most": {"type": "bool", "default": False},
        "bin_dir": {"type": "path", "default": ""},
        "node": {"type": "str"},
        "calico": {"type": "dict", "default": {}},
        "kubeconfig": {"type": "dict", "options": KUBECONFIG},
        "extra_plugins": {"type": "list", "elements": "dict", "default": []},
        "list_options": {"type": "dict", "default": {}},
        "exclusive": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    run(DiscreetModule(secrets=secrets, argument_spec=spec_of_module, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
