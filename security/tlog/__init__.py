"""The transparency log. So far: its leaves and openings."""
