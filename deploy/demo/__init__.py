"""`make demo`: a hub and three agencies on loopback exchange real geoscience data, step by step."""
