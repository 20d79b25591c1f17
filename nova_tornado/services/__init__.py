"""The rules, one file a noun. A service knows no protocol and no HTTP; it publishes events after the change is stored."""
