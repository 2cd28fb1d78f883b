# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where a module ends: with its outcome, or with an error that helps."""

from __future__ import annotations

import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, PodnetError

_LONG = 20

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome


def run(module: AnsibleModule, work: t.Callable[[AnsibleModule], Outcome]) -> None:
    """Do the module's work and exit with its outcome; expected failures become the failure message."""
    try:
        refuse_nul(getattr(module, "params", {}))
        outcome = work(module)
    except PodnetError as error:
        trace = getattr(error, "trace", None) or traceback.format_exc()
        module.fail_json(msg=str(error), failure=error.as_dict(), exception=trace)
    except OSError as error:  # a file that is a directory, a disk that is full: said in one line, wherever it was
        place = f"{error.filename}: " if error.filename else ""
        module.fail_json(msg=f"{module._name}: {place}{error.strerror or error}", exception=traceback.format_exc())
    result = outcome.result(with_diff=module._diff)
    for sentence in result.pop("warnings", []):
        module.warn(sentence)
    # Ansible would send all arguments back; a list of ten thousand routes takes it longer than the kernel.
    module.exit_json(**result, invocation={"module_args": brief(module.params)})


def refuse_nul(params: t.Mapping[str, t.Any]) -> None:
    """Raise InvalidInput for an option with a NUL character: neither paths nor names nor the kernel's values have any.

    Lists of mappings are left to those who read them, since they may be long.
    """
    for option, value in params.items():
        parts = value.items() if isinstance(value, dict) else [value] if isinstance(value, (list, str)) else []
        texts = [text for part in parts for text in (part if isinstance(part, (list, tuple)) else [part])]
        if any(isinstance(text, str) and "\0" in text for text in texts):
            raise InvalidInput(f"the option {option} has a NUL character in it", remedy="Take it out")


def brief(value: t.Any) -> t.Any:
    """Return arguments with a word instead of each list of more than twenty items."""
    if isinstance(value, dict):
        return {key: brief(item) for key, item in value.items()}
    if isinstance(value, list):
        return f"{len(value)} items" if len(value) > _LONG else [brief(item) for item in value]
    return value
