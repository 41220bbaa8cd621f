"""Fetching what others share: from a listing to verified, atomic, acknowledged mirrors.

subscriber = Subscriber(
    subscriptions=settings.subscribe, partner=settings.node.partner, node=settings.node.name,
    state_dir=settings.node.state_dir, state=NodeState(...), trust=trust, hub=hub,
    signer=identity.signing, clock=clock, limits=LIMITS, progress=progress,
)
outcomes = subscriber.sync(hub.list_datasets(None))
"""

from node.subscribe.outcome import MirrorOutcome, MirrorState
from node.subscribe.subscriber import Subscriber

__all__ = ["MirrorOutcome", "MirrorState", "Subscriber"]
