# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what the modules support."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of modules that change something, and of those that only read (INFO)."""

    DOCUMENTATION = r"""
attributes:
  action_group:
    description: C(group/podnet.calico.calico) in C(module_defaults) sets defaults for all modules.
    support: full
    membership:
      - podnet.calico.calico
  check_mode:
    description: Can run in check mode and return the changes that it would make, without making them.
    support: full
  diff_mode:
    description: Returns what is different before and after, attribute by attribute.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    INFO = r"""
attributes:
  action_group:
    description: C(group/podnet.calico.calico) in C(module_defaults) sets defaults for all modules.
    support: full
    membership:
      - podnet.calico.calico
  check_mode:
    description: Can run in check mode; the module changes nothing in any mode.
    support: full
  diff_mode:
    description: Returns what is different before and after, attribute by attribute.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""
