"""Floor 3: verdicts. The gate every decision and every order passes; pure functions of the account and the limits."""
