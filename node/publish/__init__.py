"""Publish a folder: observe → settle → snapshot → chunk and inventory → plan → negotiate → upload → sign →
commit.

publisher = Publisher(settings, section, state, trust, hub, signer, clock)
outcome = publisher.run()               # one pass; raises a SynclineError when it could not be finished
outcome.state, outcome.seq, outcome.attention, outcome.again_at

plan = make_plan(section, settings, state, clock)         # what a pass would do; contacts nobody
approve(state, dataset)                                   # let what waits for a person go on
dataset_status(state, dataset)                            # what is known, also beside a running daemon
"""

from node.publish.outcome import DatasetStatus, PublishOutcome, PublishState
from node.publish.publisher import Publisher
from node.publish.standing import approve, dataset_status

__all__ = ["DatasetStatus", "PublishOutcome", "PublishState", "Publisher", "approve", "dataset_status"]
