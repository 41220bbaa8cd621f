"""Where and when published data are, found out from the files (ADR 15). For display; it decides nothing.

`places` finds it for a dataset; `reader` reads one file in a process of its own (`child`, `readers`); `place`
is the noun; `keeper` does it beside the daemon's work. Only the child imports the extra `geo`.
"""
