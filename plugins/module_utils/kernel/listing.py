# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common that bring the kernel in line with a list: their options, and the call."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome


def listing(option: str, entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a module that takes a list, with a state and the promise that the list is complete."""
    return {
        option: {"type": "list", "elements": "dict", "required": True, "options": entry},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "exclusive": {"type": "bool", "default": False},
    }


def converge(module: AnsibleModule, option: str, ensure: t.Callable[..., Outcome]) -> Outcome:
    """Call a function with the list of a module's option, its state, exclusive and check mode."""
    params = module.params
    return ensure(params[option], state=params["state"], exclusive=params["exclusive"], check_mode=module.check_mode)
