"""Searches and studies: candidates, the store that resumes them, and the winner run again."""
