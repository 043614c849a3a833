"""Floor 2: price paths. Five levels of models, one counter-based stream, every figure with its Monte Carlo error."""
