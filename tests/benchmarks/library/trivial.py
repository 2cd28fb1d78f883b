#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: trivial
short_description: Do nothing
description:
  - What a call costs that only imports C(ansible.module_utils.basic); other modules are compared with it.
author:
  - podnet.calico contributors (!UNKNOWN)
options: {}
"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Say that all is well."""
    AnsibleModule(argument_spec={}, supports_check_mode=True).exit_json(changed=False)


if __name__ == "__main__":
    main()
