"""Alerts from the hub itself: what is wrong is told by e-mail and webhook, and told when it is over.

    rules      what is seen  -> conditions      pure
    pace       when to tell what                pure
    book       alerts, open and over            in the database
    letter     one message, as text and JSON    pure
    outbox     messages on their way            in the database
    email, webhook                              the channels, each over an `attempt` that ends in time
    watch      the loop of the running hub

Alerts speak of what `hub.overview` shows: nothing is known here that the pages do not show.
"""
