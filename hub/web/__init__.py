"""What the hub serves over HTTP: the log's read path, for any monitor. The rest goes over gRPC."""
