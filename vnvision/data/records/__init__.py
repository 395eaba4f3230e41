"""Training sets kept in few large files: RecordIO, ``.bin`` evaluation sets, tar shards."""
