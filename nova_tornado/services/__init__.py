"""The rules, one file a noun. A service knows no protocol; it publishes events after the change is stored."""
