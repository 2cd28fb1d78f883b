# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option that names the datastore."""

from __future__ import annotations


class ModuleDocFragment:
    """The option datastore, shared by all modules that read or write resources."""

    DOCUMENTATION = r"""
options:
  datastore:
    description:
      - Where the resources are stored.
    type: dict
    suboptions:
      driver:
        description:
          - V(file) keeps YAML documents, as C(calicoctl) prints them, in a directory of the host that runs the module.
          - Run the modules on one and the same host, for example with C(delegate_to).
        type: str
        choices: [file]
        default: file
      path:
        description:
          - The directory of driver V(file). It is created on the first write, readable by its owner only.
          - Files ending in C(.yaml) or C(.yml) anywhere below it are read, those that somebody else put there too.
        type: path
        default: /etc/podnet-calico/datastore
"""

    RESOURCE = r"""
options:
  state:
    description:
      - V(present) creates the object, or changes what is given. Options that are not given keep what is stored.
      - V(absent) deletes the object.
    type: str
    choices: [present, absent]
    default: present
  labels:
    description:
      - Labels of the object, added to those stored. A value of V(null) removes a label.
      - Values are texts; put numbers and booleans in quotes.
    type: dict
"""
