"""The commands, a module for each family; each imports what it runs only when it runs."""
