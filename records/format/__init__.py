"""The format on disk: schema, shards, manifest and rejects, written and read."""
