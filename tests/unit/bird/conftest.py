# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real BIRDs that read configurations."""

from __future__ import annotations

import os

import pytest

from ansible_collections.podnet.calico.tests.tools import bird_versions
from ansible_collections.podnet.calico.tests.unit.bird.bird_parsers import VERSIONS


@pytest.fixture(params=VERSIONS)
def release(request: pytest.FixtureRequest) -> str:
    """Return a release of BIRD; one that is not here is skipped with the reason."""
    try:
        bird_versions.programs(request.param)
    except bird_versions.Unavailable as error:
        if os.environ.get("CI") and not error.tried:
            pytest.fail(str(error))
        pytest.skip(str(error))
    return str(request.param)
