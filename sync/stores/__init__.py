"""Where chunks are kept: one port (`sync.ports.ChunkStore`), one contract suite, a file a back end."""
