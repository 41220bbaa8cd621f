"""What the hub does, free of gRPC: enrolment, registry, catalogue, content, changes, sharing, fleet, log.

Services are synchronous and safe to call from many threads. A `Caller` comes from a certificate alone; every
access decision is made in `sharing`; every commit is one transaction of `hub.storage`.

    hub = Hub.open(Layout(Path("/var/lib/syncline-hub")), clock=SystemClock())
    hub.catalogue.list_datasets(caller, if_none_match=None)
"""
