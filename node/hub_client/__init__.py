"""The hub over gRPC: mTLS channels, deadlines, and the contract's messages turned into nouns.

hub = GrpcHub(address="hub.example.org:7443", roots_pem=trust.roots_pem(), tls=identity.tls())
listing = hub.list_datasets(None)
hub.close()
"""

from node.hub_client.enrolment import EnrolmentClient
from node.hub_client.grpc_hub import GrpcHub

__all__ = ["EnrolmentClient", "GrpcHub"]
