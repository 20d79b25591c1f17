"""Plugins: what they can hook into, and how they are found."""
