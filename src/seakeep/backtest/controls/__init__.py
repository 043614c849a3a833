"""Planted controls: markets and strategies whose truth is known, and how often the court is right about them."""
