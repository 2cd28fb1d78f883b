#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_cni_plugins
short_description: Put CNI plugins of a release archive in place, under a container runtime that uses them
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Fetches an archive, verifies its checksum, unpacks it beside the plugins, sees that each plugin runs on this host
    (its command C(VERSION)), and then renames one after the other into place. At every moment each name is the old
    plugin or the new one, whole.
  - What is put is written down in C(.podnet-calico.json) in the same directory. While that fits, nothing is fetched.
  - Plugins of others that have the same content are used and stay theirs. Others with the same name are refused, or
    with O(take_over) kept beside as C(NAME.podnet-moved).
  - When anything fails, all is as it was. The run after a killed one repairs.
  - Without O(archive) and O(url), looks only whether the O(required) plugins are in O(bin_dir), run, and know
    O(spec_version).
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  archive:
    description: Path of the archive on this host; tar, packed by gzip, bzip2 or xz.
    type: path
  url:
    description:
      - Where the archive is, by HTTP or HTTPS. C({version}) and C({arch}) in it are filled in. Proxies are taken from
        the environment, user and password for them and for the server from C(~/.netrc) or the address.
    type: str
  sha256:
    description:
      - Checksum of the archive, as 64 hexadecimal digits; or a dictionary of them, by architecture as release archives
        name it (V(amd64), V(arm64), V(arm), V(ppc64le), V(s390x), V(riscv64), V(mips64le)).
      - Needed with O(archive) or O(url).
    type: raw
  version:
    description: Version of the plugins, as the archive's address has it.
    type: str
    default: ""
  bin_dir:
    description:
      - Directory of the plugins; made if it is missing. Empty is the default; where it is only looked whether plugins
        are there, it is where the host has them or its package puts them.
    type: path
    default: /opt/cni/bin
  required:
    description: Names of the plugins that have to be there.
    type: list
    elements: str
    default: []
  spec_version:
    description: Version of the CNI specification that the O(required) plugins have to know, such as V(1.0.0).
    type: str
    default: ""
  take_over:
    description: Move plugins of others with the same names aside. O(state=absent) puts them back.
    type: bool
    default: false
  state:
    description:
      - V(absent) removes exactly what was put, and puts back what was moved aside.
      - V(inspected) changes nothing and tells what is there.
    type: str
    choices: [present, absent, inspected]
    default: present
seealso:
  - module: podnet.calico.calico_pod_mtu
"""

EXAMPLES = r"""
- name: Put the reference plugins in place
  podnet.calico.calico_cni_plugins:
    url: https://mirror.example.net/cni/cni-plugins-linux-{arch}-v{version}.tgz
    version: 1.6.2
    sha256:
      amd64: b8e811578fb66023f90d2e238d80cec3bdfca4b44049af74c374d4fae0f9c090
    required: [ptp, host-local, portmap, bandwidth]
    spec_version: 1.0.0

- name: Take them out again
  podnet.calico.calico_cni_plugins:
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: replace, kind: plugin, name: ptp}]
bin_dir:
  description: Directory of the plugins.
  returned: success
  type: str
  sample: /opt/cni/bin
arch:
  description: The host's architecture, as release archives name it.
  returned: O(state=present) and O(state=inspected)
  type: str
  sample: amd64
in_place:
  description: Whether the directory has what the archive has.
  returned: O(state=present) and O(state=inspected)
  type: bool
  sample: true
version:
  description: Version of what was put; empty for nothing.
  returned: O(state=present) and O(state=inspected)
  type: str
  sample: 1.6.2
plugins:
  description: Names of the archive's plugins.
  returned: O(state=present) and O(state=inspected)
  type: list
  elements: str
  sample: [bandwidth, host-local, portmap, ptp]
foreign:
  description: Names of plugins that stay, as somebody else has changed them after they were put.
  returned: O(state=absent)
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import archive, binaries
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_folder import plugins_folder
from ansible_collections.podnet.calico.plugins.module_utils.discreet import DiscreetModule
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

BIN_DIR = "/opt/cni/bin"


def secrets(params: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield the password in the address."""
    return archive.secrets(str(params.get("url") or ""))


def work(module: AnsibleModule) -> Outcome:
    """Bring the directory in line with the options."""
    params = module.params
    path, url = params["archive"] or "", params["url"] or ""
    looks = params["state"] == "present" and not path and not url
    bin_dir = params["bin_dir"] or (plugins_folder() if looks else BIN_DIR)
    if params["state"] == "absent":
        return binaries.remove(bin_dir, check_mode=module.check_mode)
    names = ("version", "sha256", "required", "spec_version", "take_over")
    wanted = binaries.Wanted(bin_dir, **{name: params[name] for name in names})
    if params["state"] == "inspected":
        return binaries.inspect(wanted)
    return binaries.ensure(wanted, path, url, temporary=module.tmpdir, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "archive": {"type": "path"},
        "url": {"type": "str"},
        "sha256": {"type": "raw"},
        "version": {"type": "str", "default": ""},
        "bin_dir": {"type": "path", "default": BIN_DIR},
        "required": {"type": "list", "elements": "str", "default": []},
        "spec_version": {"type": "str", "default": ""},
        "take_over": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent", "inspected"], "default": "present"},
    }
    options = {"mutually_exclusive": [("archive", "url")], "supports_check_mode": True}
    run(DiscreetModule(secrets=secrets, argument_spec=spec, **options), work)


if __name__ == "__main__":
    main()
