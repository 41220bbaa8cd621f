"""The transparency log. Pure: no I/O, no clock. Format: docs/formats/log.md, docs/formats/leaf.md."""
