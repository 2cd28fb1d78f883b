# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's judgement: what a change says of a host, tunnels in parts, sessions, the datastore, the report."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird.status import parse
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.cni import folder, runtime
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import give_up
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import Finding, facts, guarded, of_change
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_bird import of_sessions
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_datastore import of_datastore
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_files import of_networks
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_kernel import of_tunnel
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_report import report
from ansible_collections.podnet.calico.plugins.modules.calico_audit import CNI
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, cluster, document, node, pool

TUNNEL = {
    "kind": "vxlan",
    "mtu": 1450,
    "up": True,
    "ours": True,
    "address": "10.244.0.0/32",
    "mac": "66:00:00:00:00:01",
    "neighbours": {"10.244.1.0": "66:00:00:00:00:02"},
    "fdb": {"66:00:00:00:00:02": "192.0.2.12"},
}


def brief(found: t.Iterable[Finding]) -> list[tuple[str, str, str, str, str]]:
    return sorted((each.category, each.kind, each.name, each.expected, each.actual) for each in found)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change("route", "10.0.0.0/26", None, "blackhole"), ("missing", "blackhole", "")),
        (Change("route", "10.0.0.0/26", "blackhole", None), ("stale", "", "blackhole")),
        (Change("sysctl", "net.ipv4.ip_forward", "0", "1"), ("wrong", "1", "0")),
        (Change("file", "/etc/x", "a\nb\n", "a\nc\n"), ("wrong", "line 2: c", "line 2: b")),
        (Change("file", "/etc/x", "a\n", "a\nc\n"), ("wrong", "line 2: c", "line 2: the end")),
        (Change("file", "/etc/x", None, "a\nc\n"), ("missing", "there", "")),
        (Change("file", "/etc/x", "a\nc\n", None), ("stale", "", "there")),
        (Change("nat", "pool 10.0.0.0/8", None, {}), ("missing", "there", "")),
        (Change("bird", "running configuration", {"digest": "a"}, {"digest": "b"}), ("wrong", "digest b", "digest a")),
    ],
)
def test_a_change_that_an_applier_would_make_says_what_is_wrong(change: Change, expected: tuple[str, str, str]) -> None:
    found = of_change(change)
    assert (found.category, found.expected, found.actual) == expected
    assert (found.kind, found.name) == (change.kind, change.name)
    assert found.why
    assert found.remedy


def altered(**fields: t.Any) -> dict[str, t.Any]:
    """Return the tunnel as the applier shows it: without flags that are as they should be."""
    shown = {key: value for key, value in {**TUNNEL, **fields}.items() if key not in ("up", "ours") or not value}
    return {key: value for key, value in shown.items() if value is not None}


NAME = "vxlan.calico"
TUNNELS = {
    "another MTU": ({"mtu": 1400}, [("wrong", "tunnel", NAME, "mtu 1450", "mtu 1400")]),
    "down": ({"up": False}, [("wrong", "tunnel", NAME, "state up", "state down")]),
    "no address": ({"address": ""}, [("wrong", "tunnel", NAME, "address 10.244.0.0/32", "address ")]),
    "without our mark": ({"ours": False}, [("foreign", "tunnel", NAME, "a device of ours", "one without our mark")]),
    "no neighbour": (
        {"neighbours": {}},
        [("missing", "neighbour", "10.244.1.0 dev vxlan.calico", "66:00:00:00:00:02", "")],
    ),
    "another host behind a MAC": (
        {"fdb": {"66:00:00:00:00:02": "192.0.2.99"}},
        [("wrong", "fdb", "66:00:00:00:00:02 dev vxlan.calico", "192.0.2.12", "192.0.2.99")],
    ),
    "an entry too many": (
        {"fdb": {**TUNNEL["fdb"], "66:00:00:00:00:03": "192.0.2.13"}},  # type: ignore[dict-item]
        [("stale", "fdb", "66:00:00:00:00:03 dev vxlan.calico", "", "192.0.2.13")],
    ),
    "two things": (
        {"mtu": 1400, "ours": False},
        [
            ("foreign", "tunnel", NAME, "a device of ours", "one without our mark"),
            ("wrong", "tunnel", NAME, "mtu 1450", "mtu 1400"),
        ],
    ),
}


@pytest.mark.parametrize("case", TUNNELS)
def test_a_tunnel_is_named_part_by_part(case: str) -> None:
    fields, expected = TUNNELS[case]
    assert brief(of_tunnel(Change("tunnel", NAME, altered(**fields), altered()))) == expected


def test_a_tunnel_that_is_not_there_is_one_finding() -> None:
    (found,) = of_tunnel(Change("tunnel", NAME, None, altered()))
    assert (found.category, found.expected) == (
        "missing",
        "address 10.244.0.0/32, kind vxlan, mac 66:00:00:00:00:01, mtu 1450",
    )


STATUS = """BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
bgp_192_0_2_12 BGP        ---        up     10:00:00.000  Established
bgp_192_0_2_13 BGP        ---        start  10:00:00.000  Active        Socket: Connection refused
  Last error:       Socket: Connection refused
bgp_192_0_2_19 BGP        ---        start  10:00:00.000  Connect
"""


def test_sessions_that_are_not_up_are_named_with_what_bird_says() -> None:
    planned = [
        {"name": f"bgp_192_0_2_{end}", "peer": peer, "address": f"192.0.2.{end}", "port": 179}
        for end, peer in ((12, "node2"), (13, "node3"), (14, None))
    ]
    found = brief(of_sessions(planned, parse(STATUS).sessions))
    assert [each[:3] for each in found] == [
        ("missing", "session", "bgp_192_0_2_14"),
        ("stale", "session", "bgp_192_0_2_19"),
        ("wrong", "session", "bgp_192_0_2_13"),
    ]
    assert found[2][3:] == (
        "Established with node3 192.0.2.13",
        "Active        Socket: Connection refused; Socket: Connection refused, since 10:00:00.000",
    )


def test_a_limit_of_routes_that_was_reached_is_named() -> None:
    session = STATUS.splitlines()[2]
    text = f"{session}\n    Import limit:   10000 [HIT]\n    Routes:         10000 imported"
    planned = [{"name": "bgp_192_0_2_12", "peer": None, "address": "192.0.2.12", "port": 179}]
    (found,) = of_sessions(planned, parse(text).sessions)
    assert (found.category, found.expected) == ("wrong", "all routes taken")
    assert found.actual == "import limit 10000 reached; 10000 imported"
    assert "birdc reload in SESSION" in found.remedy


def test_what_the_peer_said_is_told_with_a_session_that_is_down() -> None:
    running = parse(STATUS).sessions
    planned = [{"name": "bgp_192_0_2_13", "peer": "node3", "address": "192.0.2.13", "port": 179}]
    (found, *__) = of_sessions(planned, running)
    assert "by a NOTIFICATION" in found.remedy
    running["bgp_192_0_2_13"].details["last_notification"] = "Administrative shutdown"
    (found, *__) = of_sessions(planned, running)
    assert "before, the peer said: Administrative shutdown" in found.actual


def test_networks_that_containerd_takes_too_and_plugins_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "networks_of_containerd", lambda: 0)
    (tmp_path / folder.OURS).write_text('{"plugins": [{"type": "ptp", "ipam": {"type": "host-local"}}]}')
    (tmp_path / "99-broken.conf").write_text("{")
    (tmp_path / "ptp").touch(0o755)
    options = {
        **{name: option.get("default") for name, option in CNI.items()},
        "config_dir": str(tmp_path),
        "bin_dir": str(tmp_path),
    }
    plan = {"node": "node1", "cni": {"ranges": ["10.244.0.0/26"], "excluded": [], "mtu": 1450}}
    plan |= {"nat": {"pools": []}, "blocks": []}
    found = {(each.category, each.name): each for each in of_networks(plan, options)}
    assert found["foreign", str(tmp_path / "99-broken.conf")].actual.startswith("is not JSON")
    assert found["missing", "plugin host-local"].expected == str(tmp_path / "host-local")
    assert ("missing", "plugin ptp") not in found


NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "192.0.2.13/24"}
DOCUMENTS = [pool(), *(node(name, address) for name, address in sorted(NODES.items()))]


def audited(stored: t.Any, nodes: t.Sequence[str] = tuple(NODES), seen: t.Sequence[str] = tuple(NODES)) -> t.Any:
    documents = [each for each in DOCUMENTS if each["kind"] != "Node" or each["metadata"]["name"] in seen]
    return [each[:3] for each in brief(of_datastore(stored, nodes, seen, documents, NOW))]


def test_a_datastore_as_it_should_be_is_clean() -> None:
    assert audited(cluster(pool(), nodes=NODES)) == []


def test_a_host_that_could_not_be_reached_is_none_that_is_gone() -> None:
    assert audited(cluster(pool(), nodes=NODES), seen=["node1", "node2"]) == []


def test_a_node_that_is_not_in_the_inventory_is_stale() -> None:
    rest = ["node1", "node2"]
    assert audited(cluster(pool(), nodes=NODES), rest, rest) == [("stale", "document", "Node node3")]


def test_what_a_node_held_that_does_not_exist_is_stale() -> None:
    stored = {key: each for key, each in cluster(pool(), nodes=NODES).items() if key != ("Node", "node3")}
    rest = ["node1", "node2"]
    found = audited(stored, rest, rest)
    assert {each[:2] for each in found} == {("stale", "address"), ("stale", "block")}
    assert ("stale", "block", "10.244.135.0/26") in found
    assert ("stale", "block", "affinity node3-10-244-135-0-26") in found


def test_blocks_that_are_not_claimed_and_pools_that_were_edited_are_found() -> None:
    stored = give_up(cluster(pool(), nodes=NODES), ["node2"], now=NOW)
    stored["IPPool", "main"] = {
        **stored["IPPool", "main"],
        "spec": {**stored["IPPool", "main"]["spec"], "natOutgoing": True},
    }
    found = audited(stored)
    assert ("wrong", "document", "IPPool main") in found
    assert ("missing", "block", "10.244.104.0/26") in found


def test_a_handle_without_address_is_stale() -> None:
    stored = cluster(pool(), nodes=NODES)
    handle = document("IPAMHandle", "lost", handleID="lost", block={"10.244.104.0/26": 1}, deleted=False)
    stored["IPAMHandle", "lost"] = handle
    assert audited(stored) == [("stale", "address", "handle lost")]


def test_what_stops_a_look_is_a_finding() -> None:
    def conflict() -> t.Iterator[Finding]:
        yield WRONG
        raise Conflict("write /etc/x: a file is there that is not ours", remedy="Move it away")

    def refusal() -> list[Finding]:
        raise KernelError("read the table: no")

    found = [*guarded("file", conflict), *guarded("nat", refusal)]
    assert [(each.category, each.kind, each.actual) for each in found] == [
        ("wrong", "sysctl", "0"),
        ("foreign", "file", "write /etc/x: a file is there that is not ours"),
        ("wrong", "nat", "read the table: no"),
    ]
    assert found[1].remedy == "Move it away"


STALE = of_change(Change("route", "10.0.0.0/26", "blackhole", None))
WRONG = of_change(Change("sysctl", "net.ipv4.ip_forward", "0", "1"))
MISSING = of_change(Change("route", "10.1.0.0/26", None, "blackhole"))


def test_findings_are_counted_and_come_by_category() -> None:
    result = facts([STALE, WRONG, MISSING])
    assert [each["category"] for each in result["findings"]] == ["missing", "wrong", "stale"]
    assert result["counts"] == {"missing": 1, "wrong": 1, "stale": 1, "foreign": 0}
    assert (result["clean"], facts([])["clean"]) == (False, True)


@pytest.mark.parametrize(
    ("found", "unseen", "fail_on", "failed"),
    [
        ([], [], "any", False),
        ([STALE], [], "any", True),
        ([STALE], [], "broken", False),
        ([STALE, WRONG], [], "broken", True),
        ([STALE, WRONG], ["node9"], "never", False),
        ([], ["node9"], "any", True),
        ([], ["node9"], "broken", True),
    ],
)
def test_verdict(found: list[Finding], unseen: list[str], fail_on: str, failed: bool) -> None:
    made = report({"node1": facts(found)["findings"]}, unseen, fail_on)
    assert made["failed"] is failed
    assert made["clean"] is (not found and not unseen)


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="none of any, broken, never"):
        report({}, [], "errors")


def test_a_report_has_clean_nodes_in_one_line_and_each_reason_once() -> None:
    places = {"node10": [], "node2": facts([WRONG, STALE, STALE])["findings"], "node1": [], "node3": []}
    assert report(places, ["node4"], "any")["lines"] == [
        "node2:",
        "  wrong    sysctl  net.ipv4.ip_forward",
        "           expected  1",
        "           actual    0",
        *[
            "  stale    route   10.0.0.0/26",
            "           expected  nothing",
            "           actual    blackhole",
        ]
        * 2,
        "  wrong sysctl: the kernel does not forward packets of pods as it has to.",
        "    Run podnet.calico.deploy, which repairs it",
        "  stale route: packets go where no node with these addresses is planned",
        "    any more. Run podnet.calico.deploy, which repairs it",
        "clean: node1, node3, node10",
        "not looked at: node4",
        "missing: 0, wrong: 1, stale: 2, foreign: 0",
    ]
