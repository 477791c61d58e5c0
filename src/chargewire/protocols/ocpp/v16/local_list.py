"""The local authorization list of OCPP 1.6 (§5.10, §5.15, §3.5.2): which tokens a station may judge by itself."""

from typing import Literal

from msgspec import Struct

from chargewire.charging import commands as ours
from chargewire.charging.token import Allowed
from chargewire.protocols.ocpp.moments import read_moment, written
from chargewire.protocols.ocpp.v16.words import IdTagInfo, IdToken

MOST_ID_TAG = 20  # characters of an idTag (§7.28)


class AuthorizationData(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One entry; without `id_tag_info` it is taken off the list (§7.1)."""

    id_tag: IdToken
    id_tag_info: IdTagInfo | None = None


class SendLocalList(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    list_version: int
    update_type: Literal["Differential", "Full"]
    local_authorization_list: tuple[AuthorizationData, ...] = ()


def send_local_list(command: ours.SendLocalList) -> SendLocalList:
    return SendLocalList(
        list_version=command.version,
        update_type="Full" if command.full else "Differential",
        local_authorization_list=tuple(_entry(token) for token in command.tokens),
    )


def list_sent(message: SendLocalList) -> ours.SendLocalList:
    """The list as a station reads it."""
    return ours.SendLocalList(
        version=message.list_version,
        full=message.update_type == "Full",
        tokens=tuple(_listed(entry) for entry in message.local_authorization_list),
    )


def _entry(token: ours.ListedToken) -> AuthorizationData:
    if token.allowed is None:
        return AuthorizationData(id_tag=token.uid)
    group = token.group_id
    info = IdTagInfo(
        status=token.allowed.value,
        expiry_date=written(token.expires_at) if token.expires_at else None,
        parent_id_tag=group if group and len(group) <= MOST_ID_TAG else None,
    )
    return AuthorizationData(id_tag=token.uid, id_tag_info=info)


def _listed(entry: AuthorizationData) -> ours.ListedToken:
    info = entry.id_tag_info
    if info is None:
        return ours.ListedToken(uid=entry.id_tag)
    return ours.ListedToken(
        uid=entry.id_tag,
        allowed=Allowed(info.status),
        expires_at=read_moment(info.expiry_date),
        group_id=info.parent_id_tag,
    )
