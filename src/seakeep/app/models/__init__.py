"""Experts and regimes of a user: trained, kept, compared, chosen for a run."""
