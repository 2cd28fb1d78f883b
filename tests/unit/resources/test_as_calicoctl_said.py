# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded answers of calicoctl (Calico v3.28, etcd 3.4) to documents, one for each of its and our reasons.

tests/kernel/test_as_calicoctl.py asks it again, by tests/tools/calico_judge.py, about thousands of others.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

RECORD = Path(__file__).with_name("calicoctl_said.jsonl")
CASES = [json.loads(line) for line in RECORD.read_text(encoding="utf-8").splitlines()]
FILTERS = [
    {"apiVersion": "projectcalico.org/v3", "kind": "BGPFilter", "metadata": {"name": name}} for name in ("f1", "f2")
]
KINDS = sorted({case["document"]["kind"] for case in CASES})


def said_here(document: dict[str, t.Any]) -> str:
    try:
        put(put({}, FILTERS), [document])
    except InvalidInput:
        return "refused"
    return "taken"


@pytest.mark.parametrize("kind", KINDS)
def test_answers_stay_as_they_are(kind: str) -> None:
    cases = [case for case in CASES if case["document"]["kind"] == kind]
    assert cases
    for case in cases:
        assert said_here(case["document"]) == case["here"], case


def test_most_answers_are_those_of_calicoctl() -> None:
    agreed = {("takes", "taken"), ("refuses", "refused")}
    differing = [case for case in CASES if (case["calicoctl"], case["here"]) not in agreed]
    assert len(CASES) > 300
    assert len(differing) < 50, "each that differs is one of the reasons in docs/datastore.md"
