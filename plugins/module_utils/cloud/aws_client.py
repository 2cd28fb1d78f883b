# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""boto3's client of Amazon EC2, and what its errors mean."""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Step
from ansible_collections.podnet.calico.plugins.module_utils.errors import CloudError, MissingLibrary

BOTO3_ERROR: str | None = None
try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    BOTO3_ERROR = traceback.format_exc()

    class BotoCoreError(Exception):  # type: ignore[no-redef]
        """Stands in for botocore's error so that this file imports without it; never raised."""

    class ClientError(Exception):  # type: ignore[no-redef]
        """Stands in for botocore's error so that this file imports without it; never raised."""


# How many values one filter of a request may have is limited to 200.
_PART = 200
_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_CREDENTIALS = ("AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "RequestExpired", "ExpiredToken")
_OWN = "Give boto3 credentials: an instance profile, or a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REMEDIES = {
    "NoCredentialsError": _OWN,
    "PartialCredentialsError": _OWN,
    "ProfileNotFound": "Name a profile that ~/.aws/config has on the host that the module runs on",
    "NoRegionError": "Give region, such as eu-central-1",
    "EndpointConnectionError": "Look at region and endpoint_url, and whether this host reaches them",
}


class Account(t.NamedTuple):
    """How EC2 is reached; what is "" or None is left to boto3's own places."""

    region: str
    profile: str
    endpoint_url: str


class Ec2:
    """The calls of EC2 that are needed here; in check mode with DryRun, which tells what is denied."""

    def __init__(self, account: Account) -> None:
        if BOTO3_ERROR is not None:
            message = (
                "talk to Amazon EC2: Python's boto3 is not installed where the module runs. Install it "
                "(Debian: python3-boto3), or delegate to a host that has it (cloud_host)"
            )
            raise MissingLibrary(message, BOTO3_ERROR)
        with _explained("connect to Amazon EC2"):
            session = boto3.Session(region_name=account.region or None, profile_name=account.profile or None)
            config = Config(retries={"mode": "standard", "max_attempts": 8}, connect_timeout=10, read_timeout=30)
            self._client = session.client("ec2", endpoint_url=account.endpoint_url or None, config=config)
        self.region = str(self._client.meta.region_name)

    def interfaces(self, instances: t.Sequence[str]) -> list[dict[str, t.Any]]:
        """Return the interfaces that are attached to instances."""
        found: list[dict[str, t.Any]] = []
        pages = self._client.get_paginator("describe_network_interfaces")
        for start in range(0, len(instances), _PART):
            only = [{"Name": "attachment.instance-id", "Values": list(instances[start : start + _PART])}]
            with _explained("read the nodes' network interfaces"):
                for page in pages.paginate(Filters=only):
                    found += page["NetworkInterfaces"]
        return found

    def groups(self, names: t.Sequence[str]) -> list[dict[str, t.Any]]:
        """Return security groups by their ids."""
        if not names:
            return []
        with _explained(f"read the security groups {', '.join(names)}"):
            found: list[dict[str, t.Any]] = self._client.describe_security_groups(GroupIds=list(names))[
                "SecurityGroups"
            ]
        return found

    def make(self, step: Step, *, dry: bool) -> None:
        """Make a step; dry: only ask whether it may be made."""
        with _explained(f"{step.change.action} {step.change.kind} {step.change.name}"):
            try:
                getattr(self._client, step.method)(**step.arguments, **({"DryRun": True} if dry else {}))
            except ClientError as error:
                code = error.response["Error"]["Code"]
                # What two runs do at once, the second finds done.
                if code not in ("DryRunOperation", "InvalidPermission.Duplicate", "InvalidPermission.NotFound"):
                    raise


@contextlib.contextmanager
def _explained(what: str) -> t.Iterator[None]:
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        raise CloudError(
            f"{what}: {answer['Message']} ({answer['Code']})",
            remedy=_remedy(answer["Code"], error.operation_name),
            code=answer["Code"],
            action=f"ec2:{error.operation_name}",
        ) from error
    except BotoCoreError as error:
        raise CloudError(f"{what}: {error}", remedy=_REMEDIES.get(type(error).__name__, "")) from error


def _remedy(code: str, operation: str) -> str:
    if code in _DENIED:
        return f"Allow the action ec2:{operation} to whose credentials are used; docs/cloud.md has the whole policy"
    if code in _CREDENTIALS:
        return f"The credentials are wrong or have expired. {_OWN}"
    return ""
