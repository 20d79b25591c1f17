"""The actions protocol, Nova's native one: REST under /user, /friend and /chat, WebSocket at /ws/."""
