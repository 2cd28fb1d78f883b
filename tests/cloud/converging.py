# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules for clouds have to do: check mode predicts, a second run is unchanged."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.cloud.conftest import Result, RunModule


def converge(run_module: RunModule, name: str, params: Result, **options: t.Any) -> Result:
    """Run a module as it has to be, and return what it did."""
    predicted = run_module(name, params, check=True, **options)
    done = run_module(name, params, **options)
    assert not done.get("failed"), done
    assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
    assert run_module(name, params, **options)["changed"] is False
    return done
