"""The hub's metrics, as OpenMetrics: what the pages show as numbers, and what the process counts.

counters   calls and requests, counted where they are answered
families   the view -> metric families           pure
collector  both, when somebody scrapes
served     the port

docs/operations/metrics.md lists every metric; a test compares.
"""
