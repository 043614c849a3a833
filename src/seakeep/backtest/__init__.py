"""Floor 5: many runs, and what a person is shown of them."""
