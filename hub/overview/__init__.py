"""What the operator is shown: one set of answers for pages, API, terminal, metrics and alerts.

`model` says what there is to know; each other module answers one question, from the database alone, so that
a command beside the running hub sees what its pages show. `service.Overview` is the way in.
"""
