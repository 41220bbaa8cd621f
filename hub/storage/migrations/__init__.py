"""Schema migrations of the hub's metadata, in order; each runs once, in the transaction of
`hub.storage.upgrade`."""
