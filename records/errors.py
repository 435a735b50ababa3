"""The exception whose message is written for the user."""


class UserError(Exception):
    """An error that the user can correct.

    The message says in a sentence or two what is wrong, where, what was received, what
    was expected and what to do. Commands print it after `error:`, without a stack
    trace, and exit with code 1.

    >>> from records import RecordSet
    >>> from tfcap import UserError
    >>> try:
    ...     RecordSet.open("data")
    ... except UserError as error:
    ...     print(error)
    data is not a record set: it has no dataset.json. ...
    """
