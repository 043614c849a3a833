"""The HTTP door: the risk door of seed 000 on one port, the API on another."""
