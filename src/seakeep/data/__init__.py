"""Floor 4: market data at the edge. Stored bars, imports, downloads, quality checks, synthetic markets, feeds."""
