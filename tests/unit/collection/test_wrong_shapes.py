# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules with any shape inside: taken, or refused in words, never by an exception of Python."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils import basic

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.runner import refuse_nul
from ansible_collections.podnet.calico.tests.unit.planner.clusters import document, node, pool, seen

PACKAGE = "ansible_collections.podnet.calico.plugins.modules"
Data = t.Dict[str, t.Any]
DOCUMENTS = [
    *(pool(cidr="10.244.0.0/24"), node("node1", "192.0.2.11/24")),
    document("BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513),
    document("BGPFilter", "f", importV4=[{"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "In"}]),
    document("IPReservation", "r", reservedCIDRs=["10.244.0.7"]),
    document("IPAMConfiguration", "default", strictAffinity=True, maxBlocksPerHost=4),
]
FEW = [DOCUMENTS[0], {**DOCUMENTS[1], "spec": {"bgp": {"ipv4Address": "192.0.2.11/24"}}}]
HOSTS = seen({"node1": "192.0.2.11/24"})
ETCD = {"datastore_type": "etcdv3", "etcd_endpoints": "http://192.0.2.1:2379", "ipam": {"type": "calico-ipam"}}
PLUGIN = {"type": "tuning", "capabilities": {"a": True}, "ipam": {"type": "x"}, "dns": {"domain": "x", "search": ["y"]}}
RULE = {
    "action": "Accept",
    "cidr": "10.0.0.0/8",
    "match_operator": "In",
    "communities": ["1:2"],
    "prefix_length": {"min": 8, "max": 24},
    "as_path_prefix": [1],
    "operations": [{"add_community": "1:2"}, {"prepend_as_path": [1]}],
}
# By module and option: the other options that it takes, and a right value.
CASES: dict[tuple[str, str], tuple[Data, t.Any]] = {
    ("calico_plan", "hosts"): ({"resources": DOCUMENTS}, HOSTS),
    ("calico_plan", "resources"): ({"hosts": HOSTS}, FEW),
    ("calico_ipam", "resources"): ({"nodes": ["node1"]}, FEW),
    ("calico_ipam", "expected"): ({"nodes": ["node1"], "resources": DOCUMENTS}, {}),
    ("calico_resources", "documents"): ({}, DOCUMENTS),
    ("calico_resources", "expected"): ({"documents": []}, {}),
    ("calico_lint", "resources"): ({}, FEW),
    ("calico_bgp_plan", "resources"): ({}, FEW),
    ("calico_audit", "resources"): ({"nodes": ["node1"]}, FEW),
    ("calico_cni_config", "calico"): ({"chain": "calico"}, ETCD),
    ("calico_cni_config", "kubeconfig"): ({"chain": "calico"}, {"server": "https://192.0.2.1:6443", "token": "x"}),
    ("calico_cni_config", "extra_plugins"): ({"ranges": ["10.0.0.0/26"]}, [PLUGIN]),
    ("calico_cni_config", "list_options"): ({"ranges": ["10.0.0.0/26"]}, {"disableCheck": True}),
    ("calico_cni_config", "excluded"): ({"ranges": ["10.0.0.0/26"]}, ["10.0.0.0/32"]),
    ("calico_cni_plugins", "sha256"): ({"archive": "/none"}, {"amd64": "a" * 64}),
    ("calico_cni_plugins", "url"): ({"sha256": "a" * 64}, "ftp://192.0.2.1/none"),
    ("calico_bgp_peer", "password"): ({"name": "p"}, {"name": "x", "key": "y"}),
    ("calico_bgp_peer", "as_number"): ({"name": "p", "peer_ip": "192.0.2.1"}, 1),
    ("calico_bgp_peer", "peer_ip"): ({"name": "p", "as_number": 1}, "192.0.2.1"),
    ("calico_bgp_configuration", "communities"): ({}, [{"name": "a", "value": "1:2"}]),
    ("calico_bgp_configuration", "prefix_advertisements"): ({}, [{"cidr": "10.0.0.0/8", "communities": ["1:2"]}]),
    ("calico_bgp_filter", "import_v4"): ({"name": "f"}, [RULE]),
    ("calico_ippool", "labels"): ({"name": "p", "cidr": "10.1.0.0/16"}, {"a": "b"}),
    ("calico_node", "datastore"): ({"name": "n"}, {"path": "/none"}),
}
WRONG: list[t.Any] = [
    *(None, True, 7, "x", "", [], [7], [None], {"a": "b"}, [{"a": {"b": 1}}], 2**70),
    *("https://[::1", "http://192.0.2.1:x/", "fe80::1%lo", "10.0.0.0/33", "a\0b"),
]
GONE = object()


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from places(item, (*path, key))


def changed(value: t.Any, path: tuple[t.Any, ...], new: t.Any) -> t.Any:
    """Return a value with another one in a place, or without what is there."""
    if not path:
        return new
    result = copy.deepcopy(value)
    place = result
    for key in path[:-1]:
        place = place[key]
    if new is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return result


def answer(monkeypatch: pytest.MonkeyPatch, module: str, options: Data) -> Data:
    """Return what a module answers in check mode, run in this process."""
    arguments = {"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": True}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    program, said = importlib.import_module(f"{PACKAGE}.{module}"), io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        program.main()
    return t.cast("Data", json.loads(said.getvalue().strip().splitlines()[-1]))


@pytest.mark.parametrize(("module", "option"), CASES)
def test_any_shape_is_taken_or_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, option: str
) -> None:
    others, right = CASES[module, option]
    place: Data = {"datastore": {"path": str(tmp_path / "store")}} if "cni" not in module else {}
    place.update({"config_dir": str(tmp_path)} if module == "calico_cni_config" else {})
    place.update({"bin_dir": str(tmp_path)} if module == "calico_cni_plugins" else {})
    place = {} if module in ("calico_lint", "calico_bgp_plan") else place
    for path in places(right):
        for wrong in [*WRONG, *([GONE] if path else [])]:
            given = {**place, **others, option: changed(right, path, wrong)}
            result = answer(monkeypatch, module, given)
            if result.get("failed"):
                assert result["msg"], (path, wrong)
                assert "Traceback" not in result["msg"], (path, wrong)


NAMED: list[tuple[str, Data, str]] = [
    ("calico_cni_config", {"kubeconfig": 7}, "the option kubeconfig is not a mapping"),
    ("calico_cni_config", {"kubeconfig": "s3cr3t"}, "the option kubeconfig is not a mapping"),
    ("calico_bgp_peer", {"name": "p", "password": True}, "the option password is not a mapping"),
    (
        "calico_bgp_filter",
        {"name": "f", "import_v4": [{"action": "Accept", "prefix_length": "24-28"}]},
        "the option import_v4[0].prefix_length is not a mapping",
    ),
    ("calico_bgp_filter", {"name": "f", "import_v4": [7]}, "the option import_v4[0] is not a mapping"),
    ("calico_resources", {"documents": [], "datastore": 7}, "the option datastore is not a mapping"),
    ("calico_plan", {"hosts": {"n": None}}, "hosts.n is not a mapping"),
    ("calico_plan", {"hosts": {"n": {}}}, "hosts.n.address is missing"),
    ("calico_cni_plugins", {"url": "https://[::1", "sha256": "a" * 64}, '"https://[::1" is no address of an archive'),
    (
        "calico_cni_plugins",
        {"url": "https://me:s3cr3t@[::1", "sha256": "a" * 64},
        '"https://[::1" is no address of an archive',
    ),
    ("calico_ping", {"device": "lo", "netns": "x", "targets": [{"name": "n", "address": "x"}]}, 'address "x" is not'),
    (
        "calico_probe",
        {"state": "asking", "session": "ab" * 8, "pod_address": "10.0.0.1", "nodes": [{"name": "n", "address": "x"}]},
        'nodes[0].address "x" is not an IPv4 address',
    ),
    ("calico_firewall", {"open": ["tcp 179"], "nodes": ["fe80::1%lo"]}, 'nodes: "fe80::1%lo" cannot be used'),
    ("calico_ipam", {"cidrs": ["fe80::1%lo"], "state": "absent"}, "release blocks: 'fe80::1%lo' has a zone"),
    ("calico_pool_usage", {"cidrs": ["fe80::1%lo"]}, "'fe80::1%lo' has a zone"),
    ("calico_cni_config", {"ranges": ["fe80::1%lo"]}, "ranges: 'fe80::1%lo' has a zone"),
    ("calico_bird", {"bgp": {"a": "b"}}, "bgp.router_id is missing"),
    ("calico_bird", {"bgp": {}, "passwords": {"a": "s3cr3t"}}, "bgp.router_id is missing"),
    ("calico_resource_info", {"kind": "Node", "name": "a\0b"}, "the option name has a NUL character in it"),
]


@pytest.mark.parametrize(("module", "options", "text"), NAMED)
def test_the_option_is_named_and_no_secret_shown(
    monkeypatch: pytest.MonkeyPatch, module: str, options: Data, text: str
) -> None:
    result = answer(monkeypatch, module, options)
    assert text in result["msg"]
    assert "s3cr3t" not in json.dumps({key: value for key, value in result.items() if key != "exception"})


@pytest.mark.parametrize("value", ["a\0", ["a", "b\0"], {"k\0": 1}, {"k": "v\0"}])
def test_nul_is_refused_in_every_simple_option(value: t.Any) -> None:
    refuse_nul({"option": "a", "other": ["b"], "third": {"c": "d"}, "long": [{"x": "\0"}], "number": 7})
    with pytest.raises(InvalidInput, match="the option given has a NUL character"):
        refuse_nul({"given": value})
