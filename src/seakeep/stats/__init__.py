"""Floor 1: statistics. Arrays in, numbers and arrays out; no market, no account, no clock."""
