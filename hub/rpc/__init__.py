"""The hub's two TLS ports: convert, delegate to services in threads, convert back."""
