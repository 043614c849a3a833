"""Many runs: which rows teach and which judge, what candidates are worth, and which one is chosen."""
