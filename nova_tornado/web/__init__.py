"""What the protocols share of HTTP and WebSocket: base handlers, sign-in, limits, health."""
