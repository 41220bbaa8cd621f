"""One file format each. Imported by the child alone: only here are the libraries of the extra `geo`."""
