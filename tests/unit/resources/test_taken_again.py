# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that are taken are read back from the datastore by the same rules: they are taken again, unchanged."""

from __future__ import annotations

import json
import random

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise
from ansible_collections.podnet.calico.tests.tools import calico_documents, seeds


@pytest.mark.parametrize("kind", calico_documents.SHAPES)
def test_taken_again_unchanged(kind: str) -> None:
    rng = random.Random(seeds.seed())  # noqa: S311 (nothing is kept secret)
    taken = 0
    for given in (calico_documents.document(rng, kind) for __ in range(300)):
        try:
            first = normalise(given)
        except InvalidInput:
            continue
        taken += 1
        assert normalise(json.loads(json.dumps(first))) == first, given
    assert taken > 50
