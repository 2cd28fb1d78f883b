# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release archives of plugins: which one, its checksum, what may be in it; and the table of the role."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import tarfile
import threading
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.calico.plugins.module_utils.cni import archive
from ansible_collections.podnet.calico.plugins.module_utils.cni.plugin_folder import plugins_folder
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

TABLE = Path(__file__).parents[3] / "roles" / "cni" / "vars" / "archives.yml"
SUM = "b8e811578fb66023f90d2e238d80cec3bdfca4b44049af74c374d4fae0f9c090"
Member = t.Tuple[str, bytes, t.Dict[str, t.Any]]
PTP: Member = ("./ptp", b"the plugin", {})


def pack(path: Path, *members: Member, mode: str = "w:gz") -> str:
    """Write an archive; a member is its name, content, and other attributes."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content, attributes in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            for key, value in attributes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(
    ("machine", "order", "name"),
    [
        ("x86_64", "little", "amd64"),
        ("aarch64", "little", "arm64"),
        ("armv7l", "little", "arm"),
        ("armv8l", "little", "arm"),
        ("ppc64le", "little", "ppc64le"),
        ("s390x", "big", "s390x"),
        ("riscv64", "little", "riscv64"),
        ("mips64", "little", "mips64le"),
    ],
)
def test_architectures(machine: str, order: str, name: str) -> None:
    assert archive.architecture(machine, order) == name


@pytest.mark.parametrize(("machine", "order"), [("ppc64", "big"), ("mips64", "big"), ("sparc64", "big")])
def test_architectures_that_have_no_archive(machine: str, order: str) -> None:
    with pytest.raises(InvalidInput, match=f"choose the plugins for {machine}: there are archives for amd64, arm"):
        archive.architecture(machine, order)


@pytest.mark.parametrize("given", [SUM, SUM.upper(), f"sha256:{SUM}", f" {SUM}\n", {"amd64": SUM, "arm": "0" * 64}])
def test_checksums(given: t.Any) -> None:
    assert archive.checksum(given, "1.6.2", "amd64") == SUM


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "verify the archive of CNI plugins 1.6.2 for amd64: no sha256 of it is known. Give cni_plugins_sha256"),
        ({}, "no sha256 of it is known"),
        ({"arm64": SUM}, "for amd64: no sha256 of it is known"),
        (SUM[1:], "is no sha256"),
        ("https://example.net/a.sha256", "is no sha256"),
    ],
)
def test_checksums_that_are_none(given: t.Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        archive.checksum(given, "1.6.2", "amd64")


def test_addresses() -> None:
    template = "https://user:secret@example.net:8443/v{version}/cni-{arch}-v{version}.tgz"
    url = archive.address(template, "v1.6.2", "arm64")
    assert url == "https://user:secret@example.net:8443/v1.6.2/cni-arm64-v1.6.2.tgz"
    assert archive.shown(url) == "https://example.net:8443/v1.6.2/cni-arm64-v1.6.2.tgz"


@pytest.mark.parametrize("template", ["/srv/cni.tgz", "file:///srv/cni.tgz", "ftp://example.net/cni.tgz", "https:///a"])
def test_addresses_that_are_none(template: str) -> None:
    with pytest.raises(InvalidInput, match="is no address of an archive"):
        archive.address(template, "1.6.2", "amd64")


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_unpacking(tmp_path: Path, mode: str) -> None:
    members = [
        ("./", b"", {"type": tarfile.DIRTYPE}),
        PTP,
        ("bin/host-local", b"another", {"mode": 0o100750}),
        ("./README.md", b"text", {"mode": 0o644}),
    ]
    path = pack(tmp_path / "a", *members, mode=mode)
    (tmp_path / "to").mkdir()
    found = archive.unpack(path, str(tmp_path / "to"))
    assert found == {
        "ptp": hashlib.sha256(b"the plugin").hexdigest(),
        "host-local": archive.digest(path.replace("/a", "/to/host-local")),
    }
    assert sorted(each.name for each in (tmp_path / "to").iterdir()) == ["host-local", "ptp"]
    assert {each.stat().st_mode & 0o7777 for each in (tmp_path / "to").iterdir()} == {0o755}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (("/etc/cron.d/ptp", b"", {}), "leads out of it"),
        (("../ptp", b"", {}), "leads out of it"),
        (("a/../../ptp", b"", {}), "leads out of it"),
        (("host-local", b"", {"type": tarfile.SYMTYPE, "linkname": "ptp"}), "is a link"),
        (("host-local", b"", {"type": tarfile.LNKTYPE, "linkname": "ptp"}), "is a link"),
        (("null", b"", {"type": tarfile.CHRTYPE}), "is a device"),
        (("fifo", b"", {"type": tarfile.FIFOTYPE}), "is a device"),
        (("sub/ptp", b"", {}), "ptp is in it twice"),
        ((".podnet-calico.json", b"", {}), "is no name of a plugin"),
        (("ptp\n", b"", {}), "is no name of a plugin"),
    ],
)
def test_what_an_archive_may_not_have(tmp_path: Path, member: Member, reason: str) -> None:
    path = pack(tmp_path / "a", PTP, member)
    (tmp_path / "to").mkdir()
    with pytest.raises(InvalidInput, match=reason):
        archive.unpack(path, str(tmp_path / "to"))
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] in (["a", "ptp"], ["ptp", "a"])


def test_an_archive_without_a_plugin(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no plugin is in it"):
        archive.unpack(pack(tmp_path / "a", ("LICENSE", b"", {"mode": 0o644})), str(tmp_path))


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9])
def test_archives_that_are_cut_off(tmp_path: Path, mode: str, part: float) -> None:
    content = b"".join(hashlib.sha256(bytes([n, m])).digest() for n in range(256) for m in range(8))
    path = Path(pack(tmp_path / "a", ("ptp", content, {}), mode=mode))
    whole = path.read_bytes()
    size = len(whole) if mode != "w:" else 512 + len(content)
    path.write_bytes(whole[: int(size * part)])
    (tmp_path / "to").mkdir()
    with pytest.raises(InvalidInput, match=r"unpack .*: it is cut off or no archive .*Fetch it again"):
        archive.unpack(str(path), str(tmp_path / "to"))


def test_the_table() -> None:
    data = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    sums = [(version, arch, text) for version, row in data["cni_archives"].items() for arch, text in row.items()]
    assert {arch for __, arch, __ in sums} <= {*archive.ARCHITECTURES.values()}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version, *__ in sums)
    assert all(archive.checksum(text, version, arch) == text for version, arch, text in sums)
    assert len({text for *__, text in sums}) == len(sums)
    defaults = yaml.safe_load((TABLE.parents[1] / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert {"amd64", "arm64"} <= {*data["cni_archives"][defaults["cni_plugins_version"]]}
    assert archive.address(data["cni_archives_url"], "1.6.2", "amd64").endswith(
        "/v1.6.2/cni-plugins-linux-amd64-v1.6.2.tgz"
    )


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ([], "/usr/lib/cni"),
        (["etc/redhat-release"], "/usr/libexec/cni"),
        (["opt/cni/bin/ptp"], "/opt/cni/bin"),
        (["opt/cni/bin/ptp", "usr/libexec/cni/ptp"], "/usr/libexec/cni"),
    ],
)
def test_where_a_package_puts_them(tmp_path: Path, files: list[str], folder: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert plugins_folder(str(tmp_path)) == folder


def obtained(source: archive.Source, folder: Path) -> bytes:
    """Return what is in an archive, which has to be gone from the folder again."""
    try:
        with archive.obtained(source, str(folder)) as path:
            return Path(path).read_bytes()
    finally:
        assert list(folder.iterdir()) == []


def test_an_archive_with_another_checksum_is_not_used(tmp_path: Path) -> None:
    path, folder = pack(tmp_path / "a.tgz", PTP), tmp_path / "plugins"
    folder.mkdir()
    good = archive.digest(path)
    assert obtained(archive.Source(path, "", good), folder) == Path(path).read_bytes()
    with pytest.raises(InvalidInput, match=f"its sha256 is {good}, and {SUM} was expected"):
        obtained(archive.Source(path, "", SUM), folder)


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves some bytes; below /cut/ the connection ends before the last of them."""

    content = b"an archive"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[:-1] if self.path.startswith("/cut/") else self.content)

    def log_message(self, *arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    """Return the URL of a mirror on loopback."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_download_is_verified_and_leaves_nothing(mirror: str, tmp_path: Path) -> None:
    good = hashlib.sha256(Mirror.content).hexdigest()
    assert obtained(archive.Source("", f"{mirror}/x.tgz", good), tmp_path) == Mirror.content
    with pytest.raises(InvalidInput, match=f"its sha256 is {good}, and {SUM} was expected"):
        obtained(archive.Source("", f"{mirror}/x.tgz", SUM), tmp_path)


def test_a_download_that_is_cut_off_says_so(mirror: str, tmp_path: Path) -> None:
    source = archive.Source("", f"{mirror.replace('//', '//user:secret@')}/cut/x.tgz", SUM)
    with pytest.raises(archive.Unusable, match="it ended after 9 of 10 bytes") as caught:
        obtained(source, tmp_path)
    assert "secret" not in str(caught.value)
