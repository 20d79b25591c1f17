"""Small clients of Nova: plain HTTP, and the five protocols that come with it. The tests and the drill are
made of them.
"""
