"""Hub, registry and catalogue over the wire: each method converts, delegates, converts.

Pages are cut by count and by bytes, so that no answer exceeds what the other end accepts. A listing's pages
belong to one view: when the view changes between two pages, the caller is told to begin again.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from syncline.v1 import catalogue_pb2, hub_pb2, registry_pb2

from core.errors import InvalidInput, Unavailable
from core.limits import Limits
from hub.services.context import Caller
from hub.services.hub import Hub
from sync.ports import Listing, PolicyExtract
from sync.wire import messages

T = TypeVar("T")


class CatalogueCalls:
    """The unary calls of an enrolled node, chunks aside."""

    def __init__(self, hub: Hub, limits: Limits) -> None:
        self._hub = hub
        self._limits = limits

    def get_hub_info(self, caller: Caller, _: hub_pb2.GetHubInfoRequest) -> hub_pb2.GetHubInfoResponse:
        return messages.hub_info_to_message(self._hub.info(caller))

    def list_registry(
        self, _: Caller, request: registry_pb2.ListRegistryRequest
    ) -> registry_pb2.ListRegistryResponse:
        asked = messages.registry_request_from_message(request, self._limits)
        found = self._hub.registry.list_from(asked.from_seq, asked.page_size)
        page, next_seq = self._page(found, asked.from_seq, asked.page_size, len)
        return messages.registry_page_to_message(page, next_seq)

    def offer_registry(
        self, caller: Caller, request: registry_pb2.OfferRegistryRequest
    ) -> registry_pb2.OfferRegistryResponse:
        envelopes = messages.offer_from_message(request, self._limits)
        return messages.offered_to_message(self._hub.registry.offer(caller, envelopes))

    def rotate_keys(
        self, caller: Caller, request: registry_pb2.RotateKeysRequest
    ) -> registry_pb2.RotateKeysResponse:
        envelope = messages.rotation_from_message(request, self._limits)
        return messages.rotated_to_message(signed=self._hub.rotation.request(caller, envelope))

    def leave(self, caller: Caller, request: registry_pb2.LeaveRequest) -> registry_pb2.LeaveResponse:
        envelope = messages.departure_from_message(request, self._limits)
        return messages.departed_to_message(last=self._hub.departures.leave(caller, envelope))

    def publish_policy(
        self, caller: Caller, request: catalogue_pb2.PublishPolicyRequest
    ) -> catalogue_pb2.PublishPolicyResponse:
        policy, _ = messages.publish_policy_from_message(request, self._limits)
        return messages.policy_accepted_to_message(self._hub.catalogue.publish_policy(caller, policy))

    def commit_version(
        self, caller: Caller, request: catalogue_pb2.CommitVersionRequest
    ) -> catalogue_pb2.CommitVersionResponse:
        commit = messages.commit_from_message(request, self._limits)
        accepted = self._hub.catalogue.commit_version(caller, commit.envelope, commit.root)
        return messages.version_accepted_to_message(accepted)

    def list_datasets(
        self, caller: Caller, request: catalogue_pb2.ListDatasetsRequest
    ) -> catalogue_pb2.ListDatasetsResponse:
        asked = messages.listing_request_from_message(request, self._limits)
        listing = self._hub.catalogue.list_datasets(caller, asked.if_none_match)
        if listing is None:
            page = messages.ListingPage((), "", asked.if_none_match or "", unchanged=True)
        else:
            page = listing_page(listing, asked.page_token, asked.page_size)
        return messages.listing_page_to_message(page)

    def get_version(
        self, caller: Caller, request: catalogue_pb2.GetVersionRequest
    ) -> catalogue_pb2.GetVersionResponse:
        asked = messages.version_request_from_message(request)
        return messages.version_to_message(
            self._hub.catalogue.get_version(caller, asked.dataset, asked.manifest_id)
        )

    def list_versions(
        self, caller: Caller, request: catalogue_pb2.ListVersionsRequest
    ) -> catalogue_pb2.ListVersionsResponse:
        asked = messages.chain_request_from_message(request, self._limits)
        found = self._hub.catalogue.list_versions(caller, asked.dataset, asked.from_seq, asked.page_size)
        page, next_seq = self._page(found, asked.from_seq, asked.page_size, len)
        return messages.versions_page_to_message(page, next_seq)

    def list_policies(
        self, caller: Caller, request: catalogue_pb2.ListPoliciesRequest
    ) -> catalogue_pb2.ListPoliciesResponse:
        asked = messages.chain_request_from_message(request, self._limits)
        found = self._hub.catalogue.list_policies(caller, asked.dataset, asked.from_seq, asked.page_size)
        page, next_seq = self._page(found, asked.from_seq, asked.page_size, _policy_bytes)
        return messages.policies_page_to_message(page, next_seq)

    def explain_access(
        self, caller: Caller, request: catalogue_pb2.ExplainAccessRequest
    ) -> catalogue_pb2.ExplainAccessResponse:
        asked = messages.explain_request_from_message(request)
        return messages.explanation_to_message(
            self._hub.sharing.explain(caller, asked.dataset, asked.partner, asked.action)
        )

    def acknowledge(
        self, caller: Caller, request: catalogue_pb2.AcknowledgeRequest
    ) -> catalogue_pb2.AcknowledgeResponse:
        envelope = messages.acknowledge_from_message(request, self._limits)
        return messages.acknowledged_to_message(self._hub.catalogue.acknowledge(caller, envelope))

    def _page(
        self, found: Sequence[T], from_seq: int, page_size: int, size: Callable[[T], int]
    ) -> tuple[Sequence[T], int | None]:
        page = fitting(found, self._limits.message_bytes_max, size)
        complete = len(page) == len(found) < page_size
        return page, None if complete else from_seq + len(page)


def fitting(items: Sequence[T], bytes_max: int, size: Callable[[T], int]) -> Sequence[T]:
    """The longest beginning of `items` within `bytes_max`; at least one, if there is one."""
    total = 0
    for place, item in enumerate(items):
        total += size(item)
        if total > bytes_max and place > 0:
            return items[:place]
    return items


def listing_page(listing: Listing, token: str, page_size: int) -> messages.ListingPage:
    """The page of `listing` that `token` names; a token is `<etag>:<place>`."""
    etag, _, text = token.rpartition(":")
    place = int(text) if text.isascii() and text.isdigit() else 0
    if token and (not etag or place == 0):
        raise InvalidInput("page_token is not one of this hub's", reason="MALFORMED_MESSAGE")
    if token and etag != listing.etag:
        raise Unavailable(
            "the listing changed between two pages",
            remedy="ask again from the first page",
            reason="LISTING_CHANGED",
        )
    end = place + page_size
    more = end < len(listing.entries)
    return messages.ListingPage(
        listing.entries[place:end], f"{listing.etag}:{end}" if more else "", listing.etag
    )


def _policy_bytes(policy: PolicyExtract) -> int:
    return len(policy.envelope) + len(policy.disclosures)
