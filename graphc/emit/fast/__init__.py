"""Style `fast`: planned buffers, blocks that stay in the cache, threads."""
