"""Floor 4: the heart. `Engine.process` turns events into commands and records; it does no I/O and reads no clock."""
