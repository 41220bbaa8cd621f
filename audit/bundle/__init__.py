"""Bundles: evidence that travels alone, as a BagIt bag (docs/formats/bundle.md); written and read here."""
