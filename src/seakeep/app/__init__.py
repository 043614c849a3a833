"""Floor 6: processes. Settings, the composition root, the command line."""
