# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins from a release archive on the control machine: refused, put, upgraded, used, taken out by reset."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from stage import Stage

from ansible_collections.podnet.calico.tests.tools import cni_plugins

TAKEN = {"bandwidth", "host-local", "loopback", "portmap", "ptp", "tap"}
RECORD = "/opt/cni/bin/.podnet-calico.json"


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """Return the inventory's variables but for the version, and the checksums by version."""
    folder = tmp_path_factory.mktemp("releases")
    try:
        known = (cni_plugins.INSTALLED, cni_plugins.newer())
    except cni_plugins.Unavailable as error:
        pytest.skip(str(error))
    by_version = {}
    for plugins in known:
        version = cni_plugins.version(plugins)
        by_version[version] = cni_plugins.pack(plugins, folder / f"cni-amd64-v{version}.tgz", TAKEN)
    return {"archive": str(folder / "cni-{arch}-v{version}.tgz"), "sums": by_version}


def _inventory(stage: Stage, sums: dict[str, t.Any], version: str, sha256: str = "") -> Path:
    def change(group: dict[str, t.Any]) -> None:
        group.setdefault("vars", {}).update(
            cni_plugins_source="archive",
            cni_plugins_version=version,
            cni_plugins_archive=sums["archive"],
            cni_plugins_sha256={"amd64": sha256 or sums["sums"][version]},
        )

    return stage.changed_inventory(change)


@pytest.mark.nightly
def test_from_refusal_to_reset(stage: Stage, sums: dict[str, t.Any]) -> None:
    older, newer = sums["sums"]
    stage.fresh(2)
    refused = stage.play("deploy", inventory=_inventory(stage, sums, older, "0" * 64))
    assert refused.status != 0
    assert all("its sha256 is" in failure for failure in refused.failures)
    assert (len(refused.failures), refused.changed) == (2, [])
    stage.succeed("deploy", inventory=_inventory(stage, sums, older))
    assert json.loads(stage.ask("node1", f"cat {RECORD}"))["version"] == older
    again = stage.succeed("deploy", inventory=_inventory(stage, sums, older))
    assert again.changed == []
    upgraded = stage.succeed("deploy", inventory=_inventory(stage, sums, newer))
    assert upgraded.changed == [f"{node}: podnet.calico.cni : Put the plugins in place" for node in stage.names]
    assert json.loads(stage.ask("node2", f"cat {RECORD}"))["version"] == newer
    said = json.loads(stage.ask("node1", "CNI_COMMAND=VERSION /opt/cni/bin/ptp </dev/null"))
    assert "1.1.0" in said["supportedVersions"]
    stage.succeed("reset", inventory=_inventory(stage, sums, newer))
    assert stage.ask("node1", "ls -d /opt/cni /tmp/*podnet-cni 2>/dev/null || true") == ""
