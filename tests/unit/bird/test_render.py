# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's configuration: golden per encapsulation and per topology, and what the real parsers say of it."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render, render_empty
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import (
    SECRETS_FILE,
    password_constant,
    render_secrets,
)
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import SecretKey
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import ENCAPSULATIONS
from ansible_collections.podnet.calico.tests.tools import bird_versions
from ansible_collections.podnet.calico.tests.unit.bird.bgp_cases import (
    FAR,
    NEAR,
    SECRET,
    TOPOLOGIES,
    Data,
    bgp,
    client,
    external,
    family4,
    family6,
    mesh,
    pool,
    session,
)

PASSWORDS = {"bgp-secrets": {"tor": "a 'b' \\ $ # ; { ü"}}
VERSIONS = {"2.0": (2, 0), "2.17": (2, 17), "3.1": (3, 1)}


@pytest.fixture(params=VERSIONS)
def release(request: pytest.FixtureRequest) -> str:
    """Return a release of BIRD; one that could not be fetched is skipped with the reason."""
    try:
        bird_versions.programs(request.param)
    except bird_versions.Unavailable as error:
        if os.environ.get("CI") and not error.tried:
            pytest.fail(str(error))
        pytest.skip(str(error))
    return str(request.param)


def parse(text: str, directory: Path, release: str = "2.0", secrets: str = "") -> None:
    """Have a BIRD read a configuration, which it must do without a word."""
    (directory / SECRETS_FILE).write_text(secrets)
    path = directory / ".podnet-candidate"
    path.write_text(text)
    said = bird_versions.parse(release, path)
    assert (said.returncode, said.stdout + said.stderr) == (0, ""), text


@pytest.mark.parametrize("encapsulation", ENCAPSULATIONS)
def test_encapsulation(encapsulation: str, golden: t.Callable[[str, str], None], tmp_path: Path) -> None:
    text = render(bgp(*mesh(), families=[family4(encapsulation)]))
    golden(f"bird/{encapsulation}.conf", text)
    parse(text, tmp_path)


@pytest.mark.parametrize("encapsulation", ["IPIP", "IPIPCrossSubnet"])
def test_tunnels_of_bird_3(encapsulation: str, golden: t.Callable[[str, str], None]) -> None:
    golden(f"bird/{encapsulation}-bird3.conf", render(bgp(*mesh(), families=[family4(encapsulation)]), version=(3, 1)))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_topology(topology: str, golden: t.Callable[[str, str], None], tmp_path: Path) -> None:
    text = render(TOPOLOGIES[topology], bfd=topology == "dual_stack")
    golden(f"bird/topology-{topology}.conf", text)
    parse(text, tmp_path, secrets=render_secrets(TOPOLOGIES[topology], PASSWORDS, "n1"))


CASES: dict[str, Data] = {
    **{f"topology {name}": data for name, data in TOPOLOGIES.items() if name != "client"},
    **{encapsulation: bgp(*mesh(), families=[family4(encapsulation)]) for encapsulation in ENCAPSULATIONS},
    "client": client("VXLAN"),
    "no session": bgp(),
    "no pool": bgp(*mesh(), external(), families=[family4(pools=(), blocks=())]),
    "no pool, reflector": bgp(*mesh(), families=[family4(pools=(), blocks=())], cluster_id="224.0.0.1"),
    "no block": bgp(*mesh(), families=[family4(blocks=())]),
    "block of one address": bgp(*mesh(), families=[family4(blocks=("10.244.0.7/32",))]),
    "two pools": bgp(*mesh(), families=[family4(pools=(pool(), pool("VXLAN", cidr="10.245.0.0/16")))]),
    "bound": bgp(session(NEAR[4], source=None), *mesh(6), families=[family4(), family6()], bind_to_node=True),
    "own port": bgp(*mesh(), listen_port=1790),
    "ignored": bgp(*mesh(), ignored_interfaces=("eth1.*", "docker0")),
    "all is logged": bgp(*mesh(), debug="all"),
    "nothing is logged": bgp(*mesh(), debug=""),
    "next hop kept": bgp(session(NEAR[4], next_hop="keep")),
    "long restart": bgp(session(NEAR[4], restart_time=86400)),
    "odd node name": bgp(session(NEAR[4], peer='a"b')),
    "longest names": bgp(
        session("2001:db8:1111:2222:3333:4444:5555:6666", filters=("n" * 253,)),
        families=[family6()],
        filters=({"name": "n" * 253, "rules": {}},),
    ),
}
CASES["longest names"]["sessions"][0]["name"] += "_port_65535"


@pytest.mark.parametrize("case", CASES)
def test_every_bird_reads_it_without_a_warning(case: str, release: str, tmp_path: Path) -> None:
    for bfd in (False, True):
        text = render(CASES[case], bfd=bfd, version=VERSIONS[release])
        parse(text, tmp_path, release, render_secrets(CASES[case], PASSWORDS, "n1"))


def test_every_bird_reads_the_empty_configuration(release: str, tmp_path: Path) -> None:
    parse(render_empty(), tmp_path, release)


MIXED = family4(pools=(pool("IPIP"), pool(cidr="10.245.0.0/16")))
IMPOSSIBLE = {
    "reflectors": (
        client("IPIPCrossSubnet"),
        rf"next hops behind route reflectors \({NEAR[4]}, {FAR[4]}\) are not known",
    ),
    "two modes": (bgp(*mesh(), families=[MIXED]), "all pools that are not VXLAN must have the same ipipMode"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_bird_3_refuses_tunnels_it_cannot_make(case: str) -> None:
    data, words = IMPOSSIBLE[case]
    render(data, version=(2, 17))
    with pytest.raises(InvalidInput, match=words):
        render(data, version=(3, 1))


def lines_of(text: str, head: str) -> list[str]:
    """Return the lines of a block."""
    found = re.search(rf"^{head} \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return [line.strip() for line in found.group(1).splitlines()]


OPTIONS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], list[str], list[str]]] = {
    "plain": (
        {},
        {},
        ["local 192.0.2.11 port 179 as 64512;", "neighbor 192.0.2.12 port 179 as 64512;", "multihop;"],
        ["passive", "ttl security", "password", "rr ", "next hop", "strict bind", "bfd"],
    ),
    "kernel's source": ({"source": None}, {}, ["local port 179 as 64512;"], []),
    "bound without source": (
        {"source": None},
        {"bind_to_node": True},
        ["local 192.0.2.11 port 179 as 64512;", "strict bind on;"],
        [],
    ),
    "ports": (
        {"port": 1790},
        {"listen_port": 1791},
        ["local 192.0.2.11 port 1791 as 64512;", "neighbor 192.0.2.12 port 1790 as 64512;"],
        [],
    ),
    "ttl": ({"ttl_security": 3}, {}, ["multihop 3;", "ttl security on;"], ["multihop;"]),
    "ttl off": ({"ttl_security": 0}, {}, ["multihop;"], ["ttl security"]),
    "quick": ({"keepalive_time": 10}, {}, ["hold time 90;", "keepalive time 10;"], []),
    "slow": ({"keepalive_time": 100}, {}, ["hold time 300;", "keepalive time 100;"], []),
    "restart": ({"restart_time": 5000}, {}, ["graceful restart time 4095;"], []),
    "client": (
        {"rr_client": True},
        {"cluster_id": "224.0.0.1"},
        ["rr client;", "rr cluster id 224.0.0.1;"],
        [],
    ),
    "external peer of a reflector": ({"remote_as": 1}, {"cluster_id": "224.0.0.1"}, [], ["rr "]),
    "next hop": ({"next_hop": "keep"}, {}, ["next hop keep;"], ["next hop self"]),
    "external": (
        {"peer": None},
        {},
        ["import filter podnet_import_external4;", "export filter podnet_export4;"],
        [],
    ),
    "node": ({}, {}, ["import filter podnet_import_node4;"], []),
    "of a reflector": ({"reflects": True}, {}, ["import filter podnet_import_reflector4;"], []),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_of_a_session(case: str) -> None:
    changes, whole, present, absent = OPTIONS[case]
    text = render(bgp(session(NEAR[4], **changes), **whole))
    lines = lines_of(text, "protocol bgp bgp_192_0_2_12 from podnet_session4")
    assert [line for line in present if line not in lines] == []
    assert [line for line in lines if line.startswith(tuple(absent))] == []


def test_why_a_session_is_there_changes_its_description_alone() -> None:
    one, other = (render(bgp(session(NEAR[4], kind=kind))).splitlines()[2:] for kind in ("mesh", "node"))
    changed = [pair for pair in zip(one, other) if pair[0] != pair[1]]
    assert changed == [('  description "mesh node2";', '  description "node node2";')]


def test_filters_of_nodes_cannot_accept_what_is_no_pool() -> None:
    rules = {"name": "all", "rules": {"importV4": [{"action": "Accept"}]}}
    text = render(bgp(session(NEAR[4], filters=("all",)), filters=(rules,)))
    lines = lines_of(text, "filter import_bgp_192_0_2_12")
    call = lines.index("'podnet_f_all_import4'(true);")
    assert lines[:call] == [
        "if net ~ OWN4 then reject;",
        "if net !~ POOLS4 then reject;",
        "if bgp_next_hop != from then reject;",
    ]


def test_export_is_in_calicos_order() -> None:
    lines = lines_of(render(TOPOLOGIES["external"], passwords=PASSWORDS), "filter export_bgp_192_0_2_1")
    assert lines == [
        "if source != RTS_BGP then bgp_local_pref = 2147482623;",
        "'podnet_f_router_export4'(false);",
        "podnet_advertise4();",
    ]
    advertise = lines_of(render(TOPOLOGIES["external"]), r"function podnet_advertise4\(\)")
    assert [re.sub(r".*then |;.*", "", line) for line in advertise] == [
        "reject",
        "{ bgp_community.add((64512, 100))",
        "accept",
        "reject",
    ]


def with_password(**changes: t.Any) -> Data:
    return bgp(session(NEAR[4], password=SecretKey("bgp-secrets", "tor", **changes)))


@pytest.mark.parametrize("version", [(2, 0), (2, 16), (2, 17), (3, 0), (3, 1)])
def test_the_main_file_names_constants_only(version: tuple[int, int]) -> None:
    text = render(with_password(), version=version, passwords={"bgp-secrets": {"tor": "sesame"}})
    assert "sesame" not in text
    assert f'include "{SECRETS_FILE}";' in text
    lines = lines_of(text, "protocol bgp bgp_192_0_2_12 from podnet_session4")
    assert f"password {password_constant(with_password()['sessions'][0]['password'])};" in lines
    assert ("authentication md5;" in lines) == (version in ((2, 17), (3, 1)))


def test_the_main_file_does_not_depend_on_values() -> None:
    first, second = (render(with_password(), passwords={"bgp-secrets": {"tor": value}}) for value in ("one", "two"))
    assert first == second == render(with_password())


@pytest.mark.parametrize("passwords", [{}, {"bgp-secrets": {}}, {"bgp-secrets": {"other": "x"}}, {"bgp-secrets": None}])
def test_a_missing_password(passwords: Data) -> None:
    optional = with_password(optional=True)
    text = render(optional, passwords=passwords)
    assert "include" not in text
    assert "password" not in text
    assert render_secrets(optional, passwords, "n1").splitlines()[1:] == ['define PODNET_SECRETS = "n1";']
    for refused in (
        lambda: render(with_password(), passwords=passwords),
        lambda: render_secrets(with_password(), passwords, ""),
    ):
        with pytest.raises(
            InvalidInput, match=r"session bgp_192_0_2_12 with 192\.0\.2\.12.*secret bgp-secrets, key tor"
        ):
            refused()


REFUSED = {
    'sesame"open': "double quote",
    "sesame\n": "control character",
    "sesame\0": "control character",
    "": "it is empty",
    "s" * 81: "longer than 80 bytes",
    "ü" * 41: "longer than 80 bytes",
}


@pytest.mark.parametrize("value", REFUSED)
def test_passwords_that_bird_cannot_carry(value: str) -> None:
    with pytest.raises(InvalidInput, match="secret bgp-secrets, key tor: ") as caught:
        render_secrets(with_password(), {"bgp-secrets": {"tor": value}}, "n1")
    assert REFUSED[value] in str(caught.value)
    assert not value or value not in str(caught.value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("keys", [{"tor": True}, {"tor": ["sesame"]}, {"tor": 0.5}, "sesame", ["sesame"]])
def test_passwords_that_are_no_text(keys: t.Any) -> None:
    with pytest.raises(InvalidInput, match="secret bgp-secrets, key tor: it is no text") as caught:
        render_secrets(with_password(), {"bgp-secrets": keys}, "n1")
    assert "sesame" not in str(caught.value)


def test_a_number_is_a_password() -> None:
    text = render_secrets(with_password(), {"bgp-secrets": {"tor": 1234}}, "n1")
    assert text.endswith(' = "1234";\n')


@pytest.mark.parametrize("value", ["s" * 80, "ü" * 40, "'", "\\", "\\n", "${x} # ; }"])
def test_passwords_that_bird_reads(value: str, release: str, tmp_path: Path) -> None:
    secrets = render_secrets(with_password(), {"bgp-secrets": {"tor": value}}, "n1")
    parse(render(with_password(), version=VERSIONS[release]), tmp_path, release, secrets)


def test_constants_of_passwords() -> None:
    pairs = [("a", "b-c"), ("a-b", "c"), ("a.b", "c"), ("a_b", "c"), ("A-b", "c"), ("n" * 253, "k"), ("n" * 253, "l")]
    names = [password_constant({"name": name, "key": key}) for name, key in pairs]
    assert len(set(names)) == len(pairs)
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,63}", name) for name in names), names
    assert password_constant({"name": "a", "key": "b", "optional": True}) == password_constant(
        {"name": "a", "key": "b"}
    )


def test_secrets_are_written_once_each() -> None:
    data = bgp(session(NEAR[4], password=SECRET), session(FAR[4], password=SECRET))
    text = render_secrets(data, {"bgp-secrets": {"tor": "one", "unused": "two"}}, "n1")
    constant = password_constant({"name": "bgp-secrets", "key": "tor"})
    assert text.splitlines()[1:] == ['define PODNET_SECRETS = "n1";', f'define {constant} = "one";']


def test_digest_tells_configurations_apart() -> None:
    one, other = (render(bgp(*mesh(), families=[family4(kind)])) for kind in ("IPIP", "VXLAN"))
    assert daemon.digest(one) != daemon.digest(other)
    assert daemon.digest(one) == daemon.digest(render(bgp(*mesh(), families=[family4("IPIP")])))
    assert daemon.digest("router id 1.2.3.4;") == ""
