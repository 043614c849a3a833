"""Floor 4: the ledger. An append-only, hash-chained journal, and the tables that are read from it."""
