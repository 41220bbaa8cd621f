"""Between messages and nouns: the only place, beside the two ends of gRPC, that knows protobuf."""
