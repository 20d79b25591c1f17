"""The vocabulary: models, events, errors and the rules on single values. Imports nothing else of Nova."""
