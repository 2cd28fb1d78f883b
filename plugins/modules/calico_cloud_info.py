#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_cloud_info
short_description: Tell on which cloud, hypervisor or hardware a host runs
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Looks at the firmware's DMI, and asks the metadata service of the platform that DMI speaks for. What that means for
    the encapsulations of pools tells the filter P(podnet.calico.cloud_verdict#filter).
  - Knows Amazon EC2 (with IMDSv2), Azure, Google Cloud, OpenStack, DigitalOcean, Hetzner Cloud, Equinix Metal, VMware,
    Proxmox and KVM, and bare metal. Hosts of Equinix Metal have no DMI of their own, so they are bare metal unless
    O(metadata=always) or O(platform) is given.
  - Some fields of DMI can only be read by root; without it Amazon's older instances are not known.
requirements:
  - Linux; no library beside Python's own
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  platform:
    description: The platform, where it is known or DMI tells nothing. Its metadata service is asked all the same.
    type: str
    choices: [aws, azure, digitalocean, equinix, google, hetzner, kvm, metal, openstack, vmware]
  metadata:
    description:
      - Whether to ask metadata services. V(hinted) asks only that of the platform which DMI or O(platform) names.
        V(always) tries them all if there is no such platform.
    type: str
    choices: [never, hinted, always]
    default: hinted
  metadata_url:
    description: Where the metadata service is. Without it the platform's own, as a rule C(http://169.254.169.254).
    type: str
  timeout:
    description: Seconds that a metadata service may take for each answer.
    type: float
    default: 1
  dmi_path:
    description: Folder of DMI's fields.
    type: path
    default: /sys/class/dmi/id
  cpuinfo_path:
    description: File that tells whether the processor is a hypervisor's.
    type: path
    default: /proc/cpuinfo
seealso:
  - module: podnet.calico.calico_aws_source_dest_check
  - module: podnet.calico.calico_probe
"""

EXAMPLES = r"""
- name: See where the host runs
  podnet.calico.calico_cloud_info:
  register: cloud_found
"""

RETURN = r"""
platform:
  description: One of the choices of O(platform), or V(unknown).
  returned: success
  type: str
  sample: aws
evidence:
  description: What the platform is taken from.
  returned: success
  type: str
  sample: sys_vendor is Amazon EC2
confirmed:
  description: Whether the platform's metadata service answered.
  returned: success
  type: bool
metadata:
  description: What the metadata service says, empty where it says nothing; none if it was not asked or is silent.
  returned: success
  type: dict
  sample:
    instance: i-0123456789abcdef0
    name: ""
    region: eu-central-1
    zone: eu-central-1a
    project: ""
    group: ""
    interfaces:
      - id: eni-0123456789abcdef0
        mac: 02:00:00:00:00:01
        addresses: [192.0.2.11]
        subnet: subnet-0123456789abcdef0
        groups: [sg-0123456789abcdef0]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud.detect import Places, detect
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

PLATFORMS = ["aws", "azure", "digitalocean", "equinix", "google", "hetzner", "kvm", "metal", "openstack", "vmware"]


def work(module: AnsibleModule) -> Outcome:
    """Find out the platform."""
    params = module.params
    places = Places(params["dmi_path"], params["cpuinfo_path"], params["metadata_url"] or "", params["timeout"])
    return Outcome([], detect(places, platform=params["platform"] or "", ask=params["metadata"]))


def main() -> None:
    """Run the module."""
    spec = {
        "platform": {"type": "str", "choices": PLATFORMS},
        "metadata": {"type": "str", "choices": ["never", "hinted", "always"], "default": "hinted"},
        "metadata_url": {"type": "str"},
        "timeout": {"type": "float", "default": 1},
        "dmi_path": {"type": "path", "default": "/sys/class/dmi/id"},
        "cpuinfo_path": {"type": "path", "default": "/proc/cpuinfo"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
