"""The operator's door: the server, and the commands that run beside it."""
