"""Checks that a record set is whole, and what they report."""
