"""Rule books in CLIPS: Python measures the facts; a risk officer writes, tests, compares and replaces the rules."""
