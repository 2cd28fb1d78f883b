# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that refuses any wrong shape of its options by the option's name."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.validation import check_type_dict, check_type_list

Options = t.Mapping[str, t.Mapping[str, t.Any]]


class Module(AnsibleModule):
    """A module whose options have options of their own.

    Where such an option is no mapping, AnsibleModule ends in a TypeError, or with a message that does not name it.
    """

    params: dict[str, t.Any]

    def __init__(self, **options: t.Any) -> None:
        """Make the module, or fail with the first option that has another shape; its value is not shown."""
        self._wrong = ""
        super().__init__(**options)
        if self._wrong:
            self.fail_json(msg=self._wrong)

    def _load_params(self) -> None:
        super()._load_params()
        wrong: list[str] = []
        given = self.params
        self.params = _without_wrong(self.argument_spec, given, "", wrong)
        if wrong:
            # It begins with Ansible's own words, by which ansible-lint knows that a template was not filled in.
            name = re.split(r"[.\[]", wrong[0])[0]
            self._wrong = (
                f"argument '{name}' is of type {type(given[name]).__name__}: the option {wrong[0]} is not a mapping, "
                "or a list of mappings. Write it as key: value lines"
            )

    def fail_json(self, msg: str, **details: t.Any) -> t.NoReturn:
        """Fail; an option of another shape is the reason before all that follows from it."""
        super().fail_json(msg=self._wrong or msg, **details)
        raise SystemExit(1)  # for mypy


def _without_wrong(options: Options, given: t.Any, path: str, wrong: list[str]) -> t.Any:
    """Return options with None in place of each that should be a mapping and is none; wrong gets their names."""
    if not isinstance(given, t.Mapping):
        return given
    return {key: _read(options.get(key, {}), value, f"{path}{key}", wrong) for key, value in given.items()}


def _read(option: t.Mapping[str, t.Any], value: t.Any, path: str, wrong: list[str]) -> t.Any:
    inner = option.get("options")
    if inner is None or value is None:
        return value
    if option["type"] == "dict":
        return _mapping(inner, value, path, wrong)
    try:
        items = check_type_list(value)
    except TypeError:
        wrong.append(path)
        return None
    return [_mapping(inner, item, f"{path}[{index}]", wrong) for index, item in enumerate(items)]


def _mapping(options: Options, value: t.Any, path: str, wrong: list[str]) -> t.Any:
    try:
        return _without_wrong(options, check_type_dict(value), f"{path}.", wrong)
    except (TypeError, ValueError):
        wrong.append(path)
        return {}
