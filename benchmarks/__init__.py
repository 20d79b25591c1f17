"""Side-by-side benchmark of Nova and its peers; see README.md."""
