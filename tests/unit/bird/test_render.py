# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's configuration: golden per encapsulation, and what the real parser says of it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render, render_empty
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import ENCAPSULATIONS
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, document, node, plans, pool

ROUTER = document("BGPPeer", "router", peerIP="192.0.2.1:1790", asNumber=64513)
REFLECTOR = node("node1", "192.0.2.11/24", routeReflectorClusterID="224.0.0.1")
TO_REFLECTOR = document("BGPPeer", "rr", nodeSelector="all()", peerSelector="!has(client)")


def configuration(encapsulation: str = "None", extra: t.Sequence[dict[str, t.Any]] = (ROUTER,), **spec: t.Any) -> str:
    made = plans(cluster(pool(encapsulation=encapsulation, **spec), extra=extra))
    return render(made["node1"]["bgp"])


def parse(text: str, directory: Path) -> None:
    path = directory / "bird.conf"
    path.write_text(text)
    daemon.check_config(str(path))


@pytest.mark.parametrize("encapsulation", ENCAPSULATIONS)
def test_configuration(encapsulation: str, golden: t.Callable[[str, str], None], tmp_path: Path) -> None:
    text = configuration(encapsulation)
    golden(f"bird/{encapsulation}.conf", text)
    parse(text, tmp_path)


VARIANTS = {
    "small blocks": {"blockSize": 32, "cidr": "10.244.0.0/29"},
    "not exported": {"disableBGPExport": True},
    "logging": {"extra": [ROUTER, document("BGPConfiguration", "default", logSeverityScreen="Debug")]},
    "silent": {"extra": [ROUTER, document("BGPConfiguration", "default", logSeverityScreen="None")]},
    "selects nobody": {"nodeSelector": "has(nothing)"},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_bird_accepts_variants(variant: dict[str, t.Any], tmp_path: Path) -> None:
    parse(configuration(**variant), tmp_path)


def test_bird_accepts_a_route_reflector(tmp_path: Path) -> None:
    made = plans(cluster(pool(encapsulation="IPIP"), extra=[TO_REFLECTOR]))
    bgp = {**made["node1"]["bgp"], "cluster_id": "224.0.0.1"}
    bgp["sessions"] = [{**session, "rr_client": True} for session in bgp["sessions"]]
    text = render(bgp)
    assert text.count("rr client;") == 2
    parse(text, tmp_path)


def test_bird_accepts_the_empty_configuration(tmp_path: Path) -> None:
    parse(render_empty(), tmp_path)


def test_a_syntax_error_is_refused_with_its_line(tmp_path: Path) -> None:
    text = configuration()
    parse(text, tmp_path)
    broken = text.replace("protocol device", "protocol dvice")
    line = broken[: broken.index("protocol dvice")].count("\n") + 1
    with pytest.raises(DaemonError) as caught:
        parse(broken, tmp_path)
    assert re.match(rf"check BIRD's configuration: .*podnet-calico\.conf:{line}:\d+ .*", str(caught.value))
    assert str(tmp_path) not in str(caught.value)


def test_a_refused_configuration_is_not_put_in_place(tmp_path: Path) -> None:
    path = tmp_path / "podnet-calico.conf"
    daemon.install_config(configuration(), str(path))
    before = path.read_text()
    with pytest.raises(DaemonError):
        daemon.install_config("nonsense;", str(path))
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_digest_tells_configurations_apart() -> None:
    one, other = configuration("IPIP"), configuration("VXLAN")
    assert daemon.digest(one) != daemon.digest(other)
    assert daemon.digest(one) == daemon.digest(configuration("IPIP"))
    assert daemon.digest("router id 1.2.3.4;") == ""
