"""What happens live: the chats' logs are written, and what was written reaches whoever is connected."""
