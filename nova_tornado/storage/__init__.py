"""The MongoDB documents, one file per collection, and the embedded mongod."""
