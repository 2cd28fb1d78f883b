# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What container runtimes are told, and which of their settings are refused. Settings of containerd are real ones."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cni import runtime_containerd, runtime_files, toml
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, DaemonError, InvalidInput

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "cni"
NETWORKS, PLUGINS = "/etc/cni/net.d", "/usr/lib/cni"
# What a containerd 1.6 of Docker's packages prints: their file is of version 1 and switches the CRI off.
DOCKER = 'disabled_plugins = ["cri"]\nimports = ["/etc/containerd/config.toml"]\nroot = "/var/lib/containerd"\n'

TOML = [
    ('key = "text"', {"key": "text"}),
    ("key = 'te#xt'  # a comment", {"key": "te#xt"}),
    (r'key = "a \"word\" \u00e9"', {"key": 'a "word" é'}),
    ("# key = 1", {}),
    ("key = 17\nother = true\nthird=false", {"key": 17, "other": True, "third": False}),
    ("key = 2026-01-01", {"key": None}),
    ("key = []", {"key": []}),
    ("key = ['one', \"two\"]", {"key": ["one", "two"]}),
    ('key = [ # the first\n  "one", # "two"\n  "three",\n]\nother = 1', {"key": ["one", "three"], "other": 1}),
    ('key = [\n  "never ends"', {"key": ["never ends"]}),
    ('"quoted key" = "x"', {"quoted key": "x"}),
    ("no pair\n= 5\n[\n", {}),
]


@pytest.mark.parametrize(("text", "values"), TOML)
def test_values(text: str, values: dict[str, t.Any]) -> None:
    assert toml.read(text)[()] == values


@pytest.mark.parametrize(("line", "number"), [("max_conf_num = 0", 0), ("max_conf_num = 2", 2), ("conf_dir = 'x'", 1)])
@pytest.mark.parametrize("table", ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"])
def test_how_many_networks_containerd_takes(table: str, line: str, number: int) -> None:
    assert runtime_containerd.networks_taken(f'[plugins."{table}".cni]\n  {line}\n') == number
    assert runtime_containerd.networks_taken("") == 1


def test_names_of_tables() -> None:
    text = "[a]\nx=1\n [ b . \"c.d\" ]\ny=2\n[plugins.'e.f'.cni] # comment\nz=3\n[[array]]\nw=4\n[a]\nv=5"
    found = toml.read(text)
    assert found["a",] == {"x": 1, "v": 5}
    assert found["b", "c.d"] == {"y": 2}
    assert found["plugins", "e.f", "cni"]["z"] == 3


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no reader of TOML of its own")
@pytest.mark.parametrize("name", ["containerd-1.6.toml", "containerd-2.1.toml"])
def test_reads_settings_of_containerd_as_python_does(name: str) -> None:
    import tomllib

    text = (GOLDEN / name).read_text(encoding="utf-8")
    ours = toml.read(text)
    for table, values in ours.items():
        theirs: t.Any = tomllib.loads(text)
        for part in table:
            theirs = theirs[part]
        read = {key: value for key, value in values.items() if value is not None}  # numbers with a fraction
        assert read == {key: theirs[key] for key in read}
        assert {key for key, value in theirs.items() if not isinstance(value, dict)} == set(values)


FITS = [
    ("containerd-1.6.toml", NETWORKS, PLUGINS),
    ("containerd-1.6.toml", f"{NETWORKS}/", f"{PLUGINS}/"),
    ("containerd-2.1.toml", NETWORKS, PLUGINS),
]


@pytest.mark.parametrize(("name", "networks", "plugins"), FITS)
def test_containerd_fits(name: str, networks: str, plugins: str) -> None:
    runtime_containerd.judge((GOLDEN / name).read_text(encoding="utf-8"), networks, plugins)


def test_containerd_without_settings_uses_its_defaults() -> None:
    runtime_containerd.judge("", NETWORKS, "/opt/cni/bin")
    with pytest.raises(Conflict, match="takes plugins from /opt/cni/bin"):
        runtime_containerd.judge("", NETWORKS, PLUGINS)


REFUSED = [
    (DOCKER, NETWORKS, PLUGINS, ["CRI is switched off", "has cri", "Docker", "restart containerd"]),
    ("disabled_plugins = ['io.containerd.grpc.v1.cri']", NETWORKS, PLUGINS, ["has io.containerd.grpc.v1.cri"]),
    (
        "containerd-1.6.toml",
        NETWORKS,
        "/opt/cni/bin",
        [
            "takes plugins from /usr/lib/cni, and they are in /opt/cni/bin",
            '[plugins."io.containerd.grpc.v1.cri".cni]\n  bin_dir = "/opt/cni/bin"\n  conf_dir = "/etc/cni/net.d"',
        ],
    ),
    (
        "containerd-2.1.toml",
        "/etc/other",
        PLUGINS,
        [
            "takes networks from /etc/cni/net.d, and ours is in /etc/other",
            '[plugins."io.containerd.cri.v1.runtime".cni]\n  bin_dirs = ["/usr/lib/cni"]\n  conf_dir = "/etc/other"',
        ],
    ),
    ("[plugins.cri.cni]\nbin_dir='/x'", NETWORKS, PLUGINS, ['[plugins."cri".cni]\n  bin_dir = "/usr/lib/cni"']),
]


@pytest.mark.parametrize(("settings", "networks", "plugins", "words"), REFUSED)
def test_containerd_that_looks_elsewhere(settings: str, networks: str, plugins: str, words: list[str]) -> None:
    text = (GOLDEN / settings).read_text(encoding="utf-8") if settings.endswith(".toml") else settings
    with pytest.raises(Conflict) as caught:
        runtime_containerd.judge(text, networks, plugins, "/the/file")
    assert "/the/file" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_containerd_that_takes_older_plugins_first(tmp_path: Path) -> None:
    first, ours = tmp_path / "first", tmp_path / "ours"
    first.mkdir()
    settings = f"[plugins.'io.containerd.cri.v1.runtime'.cni]\nbin_dirs = ['{first}', '{ours}']\n"
    runtime_containerd.judge(settings, NETWORKS, str(ours))
    (first / "host-local").touch()
    with pytest.raises(Conflict, match=f"would take plugins from {first}, before those of {ours}"):
        runtime_containerd.judge(settings, NETWORKS, str(ours))


def test_containerd_whose_settings_are_wrong() -> None:
    with pytest.raises(DaemonError, match="toml: line 3"):
        runtime_containerd.dumped(1, "", "containerd: failed to load TOML: toml: line 3")


@pytest.mark.parametrize("version", ["podman version 4.3.1\n", "podman version 4.9.4-rhel", "podman version 3.4.4"])
def test_podman_with_cni(version: str) -> None:
    runtime_files.refuse_podman(version)


@pytest.mark.parametrize("version", ["podman version 5.8.6\n", "podman version 5.0.0-dev", "podman version 10.1.0"])
def test_podman_without_cni(version: str) -> None:
    with pytest.raises(InvalidInput, match=r"no CNI from version 5 on.*containerd or CRI-O"):
        runtime_files.refuse_podman(version)


def test_podman_that_says_nothing() -> None:
    with pytest.raises(DaemonError):
        runtime_files.refuse_podman("")


def test_text_for_podman() -> None:
    text = runtime_files.podman_text("/etc/cni/net.d", "/opt/cni/bin")
    assert toml.read(text)["network",] == {
        "network_backend": "cni",
        "network_config_dir": "/etc/cni/net.d",
        "cni_plugin_dirs": [
            "/opt/cni/bin",
            "/usr/local/libexec/cni",
            "/usr/libexec/cni",
            "/usr/local/lib/cni",
            "/usr/lib/cni",
        ],
    }


def test_text_for_crio() -> None:
    text = runtime_files.crio_text("/etc/cni/net.d", "/opt/cni/bin")
    wanted = {"network_dir": "/etc/cni/net.d", "plugin_dirs": ["/opt/cni/bin"]}
    assert toml.read(text)["crio", "network"] == wanted


@pytest.mark.parametrize(
    ("backend", "containers", "refused"),
    [
        ("netavark", '[{"id": "x"}]', True),
        ("netavark", "[]", False),
        ("netavark", None, False),
        ("cni", '[{"id": "x"}]', False),
        (None, '[{"id": "x"}]', False),
    ],
)
def test_containers_on_netavark(tmp_path: Path, backend: str | None, containers: str | None, refused: bool) -> None:
    (tmp_path / "overlay-containers").mkdir()
    if backend is not None:
        (tmp_path / "defaultNetworkBackend").write_text(backend)
    if containers is not None:
        (tmp_path / "overlay-containers" / "containers.json").write_text(containers)
    if not refused:
        runtime_files.refuse_netavark(str(tmp_path))
        return
    with pytest.raises(Conflict, match="podman rm --all"):
        runtime_files.refuse_netavark(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "refused"),
    [
        ("99-mine.conf", '[network]\nnetwork_backend = "netavark"\n', True),
        ("99-mine.conf", '[network]\nnetwork_config_dir = "/other"\n', True),
        ("99-mine.conf", '[network]\nnetwork_backend = "cni"\ndefault_network = "mine"\n', False),
        ("99-mine.conf", '[engine]\nnetwork_backend = "netavark"\n', False),
        ("10-mine.conf", '[network]\nnetwork_backend = "netavark"\n', False),
        ("99-mine.other", '[network]\nnetwork_backend = "netavark"\n', False),
    ],
)
def test_a_later_file_for_podman(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, refused: bool
) -> None:
    ours = str(tmp_path / "50-podnet-calico.conf")
    monkeypatch.setitem(runtime_files._TABLES, ours, ("network",))
    (tmp_path / name).write_text(text)
    wanted = runtime_files.podman_text(NETWORKS, PLUGINS)
    if not refused:
        runtime_files.refuse_others(ours, wanted)
        return
    with pytest.raises(Conflict, match=f"{name} comes after it and has another network_.*Take network_.* out of"):
        runtime_files.refuse_others(ours, wanted)


@pytest.mark.parametrize(
    ("files", "refused"),
    [
        ({}, False),
        ({"crio.conf": '[crio.network]\ncni_default_network = ""\n'}, False),
        ({"crio.conf": '[crio.network]\n# cni_default_network = "x"\n'}, False),
        ({"crio.conf": '[crio.network]\ncni_default_network = "podnet-calico"\n'}, False),
        ({"crio.conf": '[crio.network]\ncni_default_network = "x"\n'}, True),
        ({"crio.conf.d/10-x.conf": '[crio.network]\ncni_default_network = "x"\n'}, True),
        (
            {
                "crio.conf.d/10-x.conf": '[crio.network]\ncni_default_network = "x"\n',
                "crio.conf.d/20-y.conf": '[crio.network]\ncni_default_network = ""\n',
            },
            False,
        ),
    ],
)
def test_another_network_for_crio(tmp_path: Path, files: dict[str, str], refused: bool) -> None:
    (tmp_path / "crio.conf.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if not refused:
        runtime_files.refuse_another_network("podnet-calico", str(tmp_path))
        return
    with pytest.raises(Conflict, match=r"cni_default_network .* is x, so it never uses podnet-calico"):
        runtime_files.refuse_another_network("podnet-calico", str(tmp_path))
