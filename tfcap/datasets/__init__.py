"""Data sets: downloads of published ones, and a synthetic one drawn by code."""
