#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_cni_runtime
short_description: Have a container runtime use the pod network
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Makes sure that a container runtime looks for CNI networks and plugins where the role C(cni) puts them. Run in check
    mode, it refuses what could not work before anything of a deployment is touched.
  - containerd has one file of settings, which is not written. The module asks containerd for what it uses; if that does
    not fit, the message has the lines to write. containerd watches the directory of networks and needs no restart.
  - For Podman and CRI-O a file of ours is put beside theirs. CRI-O is restarted when that has changed and it runs; its
    containers run on. Podman has no daemon, only its API's service is restarted if it runs.
  - Podman 5 and later have no CNI and are refused.
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  runtime:
    description: The container runtime. Needed for O(state=present), and to say whose unit O(service) is.
    type: str
    choices: [containerd, crio, podman]
  config_dir:
    description: Directory of the networks' configuration lists.
    type: path
    default: /etc/cni/net.d
  bin_dir:
    description: Directory of the plugins. Without it, the one that the distribution's package uses.
    type: path
    default: ""
  network:
    description: Name of our network.
    type: str
    default: podnet-calico
  service:
    description: Unit of the container runtime, where it is not the usual one.
    type: str
    default: ""
  state:
    description:
      - V(absent) removes our files of all runtimes. Where a runtime does not start again without its file, that is put
        back.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Have Podman use networks of CNI
  podnet.calico.calico_cni_runtime:
    runtime: podman
    bin_dir: /usr/lib/cni

- name: Refuse a containerd that looks elsewhere
  podnet.calico.calico_cni_runtime:
    runtime: containerd
    bin_dir: /opt/cni/bin
  check_mode: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: file, name: /etc/containers/containers.conf.d/50-podnet-calico.conf}]
runtime:
  description: What was found of the runtime; only for O(state=present).
  returned: success
  type: dict
  contains:
    program:
      description: Path of its program.
      type: str
    version:
      description: What it says of its version.
      type: str
    service:
      description: Its unit.
      type: str
    running:
      description: Whether the unit is active. Podman's is that of its API, and containers run without it.
      type: bool
  sample: {program: /usr/bin/podman, version: podman version 4.3.1, service: podman.service, running: false}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import runtime
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Have the runtime use our network, or forget it."""
    params = module.params
    if params["state"] == "absent":
        return runtime.remove(name=params["runtime"] or "", service=params["service"], check_mode=module.check_mode)
    options = {key: params[key] for key in ("config_dir", "bin_dir", "network", "service")}
    return runtime.ensure(params["runtime"], **options, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "runtime": {"type": "str", "choices": ["containerd", "crio", "podman"]},
        "config_dir": {"type": "path", "default": "/etc/cni/net.d"},
        "bin_dir": {"type": "path", "default": ""},
        "network": {"type": "str", "default": "podnet-calico"},
        "service": {"type": "str", "default": ""},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["runtime"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
