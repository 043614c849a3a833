"""The compiled simulator: a run of the driver in nanoseconds a bar."""
