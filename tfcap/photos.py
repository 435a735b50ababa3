"""`records.photos`, by the name that the server imports it under."""

from records.photos import decoding_cost

__all__ = ["decoding_cost"]
