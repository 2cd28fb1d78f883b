# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of Calico's CNI plugin and of calico-ipam, checked key by key.

Source: cni-plugin/pkg/types/types.go of Calico v3.28 to v3.33; defaults that are not written here are the plugin's.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput

OPTION = "cni_calico"  # how the user knows the options
KUBERNETES, ETCD = "kubernetes", "etcdv3"
NEWEST = "1.0.0"  # of the CNI specification that the plugin knows

_MOST = 2**31 - 1
_TEXTS = ("etcd_discovery_srv",)
_PATHS = (
    "nodename_file",
    "ipam_lock_file",
    "etcd_key_file",
    "etcd_cert_file",
    "etcd_ca_cert_file",
    "log_file_path",
    "endpoint_status_dir",
)
_FLAGS = ("nodename_file_optional", "require_mtu_file", "include_default_routes")
_NUMBERS = (
    "num_queues",
    "log_file_max_size",
    "log_file_max_age",
    "log_file_max_count",
    "qps",
    "burst",
    "policy_setup_timeout_seconds",
)
_CHOICES = {
    "datastore_type": (KUBERNETES, ETCD, "etcd"),
    "log_level": ("debug", "info", "warning", "error"),
    "calico_api_group": ("crd.projectcalico.org/v1", "projectcalico.org/v3"),
    "device_type": ("veth", "netkit"),
}
_GROUPS: dict[str, dict[str, str]] = {
    "kubernetes": {"k8s_api_root": "url", "kubeconfig": "path", "node_name": "text"},
    "feature_control": {"ip_addrs_no_ipam": "flag", "floating_ips": "flag"},
    "container_settings": {"allow_ip_forwarding": "flag"},
    "policy": {"type": "text"},
}
_OTHERS = ("nodename", "ipam", "etcd_endpoints", "readiness_gates", "dataplane_options")
KEYS = (*_OTHERS, *_CHOICES, *_TEXTS, *_PATHS, *_FLAGS, *_NUMBERS, *_GROUPS)

# Keys that the plugin knows and that are not for this place: the reason, and what to do instead.
_NOT_HERE = {
    "mtu": ("is in the node's plan", "Set calico_mtu"),
    "hostname": ("is deprecated", "Use nodename"),
    "etcd_authority": ("is deprecated", "Use etcd_endpoints"),
    "etcd_scheme": ("is deprecated", "Use etcd_endpoints"),
    "type": ("is given by the role", "Leave it out"),
    "name": ("is given by the role", "Set cni_network_name"),
    "cniVersion": ("is given by the role", "Set cni_spec_version"),
    "mode": ("is for Windows only", "Leave it out"),
    "args": ("is given by the container runtime", "Leave it out"),
}
_WINDOWS = re.compile(r"windows_\w+|vxlan_mac_prefix|vxlan_vni")
_SECRETS = ("k8s_auth_token", "k8s_client_key", "k8s_client_certificate", "k8s_certificate_authority", "k8s_api_root")

# What calico-ipam reads of its part.
_IPAM = ("type", "assign_ipv4", "assign_ipv6", "ipv4_pools", "ipv6_pools")


def plugin(
    options: t.Mapping[str, t.Any], *, node: str, ranges: t.Sequence[str], kubeconfig: str, problems: list[InvalidInput]
) -> dict[str, t.Any]:
    """Return the plugin's part of the list without its MTU, for a node of this name; what is wrong goes to problems.

    options: the plugin's own keys. ranges: the networks (CIDR) that pods get addresses of, which tell the IP versions.
    kubeconfig: path of the file that the collection writes, empty where it does not.
    """
    fields = Fields("CNI chain calico", OPTION, options, problems)
    _refuse_others(fields)
    # Without the last one the plugin refuses to work before calico/node has written its nodename_file.
    found: dict[str, t.Any] = {
        "nodename": node,
        "datastore_type": KUBERNETES,
        "log_level": "info",
        "nodename_file_optional": True,
    }
    readers: list[tuple[t.Sequence[str], t.Callable[[str], t.Any]]] = [
        ((*_TEXTS, "nodename"), fields.text),
        (_PATHS, lambda key: _path(fields, key)),
        (_FLAGS, fields.flag),
        (_NUMBERS, lambda key: fields.number(key, 0, _MOST)),
        (tuple(_CHOICES), lambda key: _choice(fields, key)),
        (("readiness_gates",), lambda key: [url for url in fields.texts(key) if _is_url(fields, key, url)]),
        (("dataplane_options",), lambda key: dict(fields.mapping(key))),
        (("etcd_endpoints",), lambda key: _endpoints(fields)),
        (tuple(_GROUPS), lambda key: _group(fields.child(key), _GROUPS[key])),
    ]
    for keys, read in readers:
        values = {key: read(key) for key in keys if options.get(key) is not None}
        found.update({key: value for key, value in values.items() if value is not None})
    _datastore(fields, found, kubeconfig)
    return {"type": "calico", **found, "ipam": _ipam(fields.child("ipam"), ranges)}


def files(made: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the paths of files that the plugin cannot do without, by the option that names them; made: of plugin."""
    keys = ("etcd_key_file", "etcd_cert_file", "etcd_ca_cert_file")
    named = {key: str(made[key]) for key in keys if made.get(key)}
    path = made.get("kubernetes", {}).get("kubeconfig")
    return {**named, **({"kubernetes.kubeconfig": str(path)} if path else {})}


def _refuse_others(fields: Fields) -> None:
    """Refuse keys that are not known, and those that have their place elsewhere."""
    away = [key for key in fields.values if key in _NOT_HERE or _WINDOWS.fullmatch(str(key))]
    fields.only(KEYS, ignored=away)
    for key in away:
        fields.refuse(key, *_NOT_HERE.get(key, ("is for Windows only", "Leave it out")))


def _path(fields: Fields, key: str) -> str | None:
    value = fields.text(key)
    if value is not None and not value.startswith("/"):
        fields.refuse(key, "is no absolute path", "Begin it with /")
        return None
    return value


def _choice(fields: Fields, key: str) -> str | None:
    """Return one of the allowed texts in lower case where the plugin takes any case (log_level)."""
    if key == "log_level" and isinstance(fields.values[key], str):
        level = Fields(fields.where, fields.path, {key: fields.values[key].lower()}, fields.problems)
        return t.cast("t.Optional[str]", level.choice(key, _CHOICES[key]))
    value = fields.choice(key, _CHOICES[key])
    return ETCD if value == "etcd" else value


def _is_url(fields: Fields, key: str, text: str) -> bool:
    """Refuse what is not the URL of a server; a password in it would be readable in logs and diffs."""
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        good = False
    else:
        if url.username is not None:
            fields.refuse(key, "has a user or password in it", "Use a client certificate", value="(hidden)")
            return False
    if not good:
        fields.refuse(key, "is not a URL of http or https", "Write it like https://192.0.2.1:2379", value=text)
    return good


def _endpoints(fields: Fields) -> str | None:
    """Return etcd's endpoints as the plugin wants them, joined by commas; they may be given as a list."""
    value = fields.values["etcd_endpoints"]
    urls = list(fields.texts("etcd_endpoints")) if isinstance(value, list) else (fields.text("etcd_endpoints") or "")
    listed = urls if isinstance(urls, list) else [url.strip() for url in urls.split(",") if url.strip()]
    good = [url for url in listed if _is_url(fields, "etcd_endpoints", url)]
    return ",".join(good) or None


def _group(fields: Fields, kinds: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return a nested mapping whose fields are flags, texts, paths or URLs."""
    secrets = [key for key in _SECRETS if key in fields.values and key not in kinds]
    fields.only(tuple(kinds), ignored=secrets)
    for key in secrets:
        fields.refuse(key, "is deprecated", "Use cni_kubeconfig", value="(hidden)")
    found: dict[str, t.Any] = {}
    for key, kind in kinds.items():
        if fields.values.get(key) is None:
            continue
        if kind == "flag":
            found[key] = fields.flag(key)
        elif kind == "path":
            found[key] = _path(fields, key)
        else:
            found[key] = fields.text(key)
            if kind == "url" and found[key]:
                _is_url(fields, key, found[key])
    return {key: value for key, value in found.items() if value is not None}


def _datastore(fields: Fields, found: dict[str, t.Any], kubeconfig: str) -> None:
    """Complete what belongs to the datastore, and refuse what belongs to the other one."""
    etcd = [key for key in found if key.startswith("etcd_")]
    if found["datastore_type"] == ETCD:
        if not found.get("etcd_endpoints") and not found.get("etcd_discovery_srv"):
            fields.refuse("etcd_endpoints", "is missing", "Give etcd's URLs, such as https://192.0.2.1:2379", value="")
        if bool(found.get("etcd_key_file")) != bool(found.get("etcd_cert_file")):
            fields.refuse("etcd_key_file", "and etcd_cert_file go together", "Give both or none")
    else:
        for key in etcd:
            fields.refuse(key, "is not for the datastore kubernetes", "Set datastore_type to etcdv3, or leave it out")
        found.setdefault("policy", {"type": "k8s"})
    policy = found.get("policy", {}).get("type")
    if policy not in (None, "k8s"):
        fields.child("policy").refuse("type", "is not one of k8s", "Use k8s, or leave policy out")
    wants = found["datastore_type"] == KUBERNETES or policy == "k8s"
    if not wants:
        return
    group = dict(found.get("kubernetes", {}))
    if kubeconfig:
        if group.get("kubeconfig"):
            fields.child("kubernetes").refuse("kubeconfig", "is given beside cni_kubeconfig", "Give one of them")
        group["kubeconfig"] = kubeconfig
    elif not group.get("kubeconfig") and not group.get("k8s_api_root"):
        remedy = "Give cni_kubeconfig, or the path of a file of yours"
        fields.child("kubernetes").require("kubeconfig", remedy)
    found["kubernetes"] = group


def _ipam(fields: Fields, ranges: t.Sequence[str]) -> dict[str, t.Any]:
    """Return the part of the IPAM plugin; without a type that is calico-ipam. Those of others are left as they are."""
    kind = fields.text("type") or "calico-ipam"
    if kind != "calico-ipam":
        return {"type": kind, **{key: value for key, value in fields.values.items() if key != "type"}}
    fields.only(_IPAM)
    versions = {ipaddress.ip_network(cidr).version for cidr in ranges} or {4}
    found: dict[str, t.Any] = {"type": kind}
    for version in (4, 6):
        key = f"assign_ipv{version}"
        value = fields.values.get(key)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        elif value is not None and not isinstance(value, bool):
            fields.refuse(key, "is not a boolean", "Give true or false")
        # The plugin wants texts.
        found[key] = "true" if (version in versions if value is None else value is True) else "false"
    if found["assign_ipv4"] == found["assign_ipv6"] == "false":
        fields.refuse("assign_ipv4", "and assign_ipv6 are both false", "Set one of them to true")
    for version in (4, 6):
        pools = fields.texts(f"ipv{version}_pools")
        if pools:
            found[f"ipv{version}_pools"] = [pool for pool in pools if _is_pool(fields, version, pool)]
    return found


def _is_pool(fields: Fields, version: int, pool: str) -> bool:
    """Refuse what is neither the name of a pool nor a network of the IP version."""
    if "/" not in pool:
        return True
    try:
        good = ipaddress.ip_network(pool).version == version
    except ValueError:
        good = False
    if not good:
        fields.refuse(f"ipv{version}_pools", f"is not an IPv{version} network", "Give names or networks", value=pool)
    return good
