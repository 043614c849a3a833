"""Floor 3: from an allowed verdict to orders, and from fills to the book. Pure functions; no clock, no I/O."""
