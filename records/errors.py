"""The one exception that a person is meant to read."""


class UserError(Exception):
    """Something the user can put right: one sentence or two, no stack trace.

    The message says what is wrong, where, what was expected and received, and what
    to do about it. Commands print it after `error:` and exit with code 1.
    """
